import { LitElement } from 'lit'
import { Client } from '../client.js'
import { Store } from '../store.js'
import { Session } from './session.js'

/** The event with which an element asks the nearest provider for its session. */
export const ASK = 'hos-session'

/**
 * `<hos-provider url="">`: holds the session for the elements inside it. It
 * opens the store when it is connected, or takes a session that is set before.
 * Events: `hos-ready` when the session can be used, `hos-problem` with the
 * error as detail when it cannot.
 */
export class HosProvider extends LitElement {
  static properties = { url: { type: String } }

  constructor() {
    super()
    this.url = ''
    /** @type {Session | null} */
    this.session = null
    /** @type {((s: Session) => void)[]} */
    this.waiting = []
    this.addEventListener(ASK, (e) => {
      e.stopPropagation()
      const take = /** @type {CustomEvent} */ (e).detail
      if (this.session) take(this.session)
      else this.waiting.push(take)
    })
  }

  connectedCallback() {
    super.connectedCallback()
    void this.#open()
  }

  disconnectedCallback() {
    super.disconnectedCallback()
    this.session?.close()
  }

  async #open() {
    try {
      if (!this.session) {
        const session = new Session({ client: new Client({ url: this.url }), store: await Store.open() })
        await session.load()
        this.session = session
      }
      for (const take of this.waiting.splice(0)) take(this.session)
      this.dispatchEvent(new CustomEvent('hos-ready', { detail: this.session }))
    } catch (e) {
      this.dispatchEvent(new CustomEvent('hos-problem', { detail: e }))
    }
  }

  createRenderRoot() { return this } // it shows nothing of its own
}

customElements.define('hos-provider', HosProvider)

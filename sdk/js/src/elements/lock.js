import { html, LitElement, nothing } from 'lit'
import { ASK } from './provider.js'
import { look } from './look.js'
import { done, explain, label } from './words.js'

/** @typedef {import('./session.js').Session} Session */
/** @typedef {import('./session.js').Outcome} Outcome */
/** @typedef {import('./session.js').State} State */

/** For how long an outcome stays on the screen before the lock looks idle again, ms. */
const SHOWN = 20_000

/** For how long after its time a device remembers a command, ms; asking later tells nothing. */
const KEPT = 10 * 60_000

/** The main button's method: the first of these that the lock has. */
const MAIN = ['open', 'unlock']

/** Words while something is under way. @type {Record<string, string>} */
const UNDER_WAY = { signing: 'Confirm with your fingerprint, face or PIN…', sent: 'Sent. Waiting for the lock’s answer…' }

/** Symbols beside the words, so that nothing hangs on colour alone. @type {Record<string, string>} */
const SIGNS = { good: '✓', no: '✕', wait: '…', bad: '⚠', plain: '' }

/**
 * `<hos-lock device="hosdev1…">`: one lock with its button, inside a
 * `<hos-provider>`. The attribute `state` is idle, signing, sent, executed,
 * refused, expired, unknown, offline or forged. It is `executed`, and green,
 * only after the device's receipt was verified here. Event `hos-outcome` with
 * the Outcome as detail. Parts: card, name, presence, open, lock, message,
 * again, receipt.
 */
export class HosLock extends LitElement {
  static properties = {
    device: { type: String },
    state: { type: String, reflect: true },
    code: { type: String, reflect: true },
    row: { state: true },
    outcome: { state: true },
    pending: { state: true },
  }

  static styles = look

  constructor() {
    super()
    this.device = ''
    /** @type {State} */
    this.state = 'idle'
    /** The code of the last receipt or error. */
    this.code = ''
    /** @type {Session | null} */
    this.session = null
    /** @type {import('./session.js').Row | null} */
    this.row = null
    /** @type {Outcome | null} */
    this.outcome = null
    /** @type {import('../store.js').Pending | null} */
    this.pending = null
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined
    this.follow = () => this.#follow()
  }

  connectedCallback() {
    super.connectedCallback()
    this.dispatchEvent(new CustomEvent(ASK, { bubbles: true, composed: true, detail: (/** @type {Session} */ s) => void this.#attach(s) }))
  }

  disconnectedCallback() {
    super.disconnectedCallback()
    clearTimeout(this.timer)
    this.session?.removeEventListener('devices', this.follow)
    this.session = null
  }

  /** @param {Session} session */
  async #attach(session) {
    if (!this.isConnected) return
    this.session = session
    session.addEventListener('devices', this.follow)
    this.#follow()
    await this.#leftOver()
  }

  #follow() { this.row = this.session?.rows.find((r) => r.id === this.device) ?? null }

  /** A command from before the page was closed, of which no answer came. */
  async #leftOver() {
    const { session } = this
    const p = await session?.store.pending(this.device) ?? null
    if (session && p && session.now() - p.expires > KEPT) return session.store.clearPending(this.device)
    this.pending = p
    if (this.pending && this.state === 'idle') {
      this.outcome = {
        state: 'unknown', code: 'no_receipt', detail: '', method: this.pending.method, command: '', receipt: null, again: true, at: this.pending.at,
      }
      this.state = 'unknown'
      this.code = 'no_receipt'
    }
  }

  get busy() { return this.state === 'signing' || this.state === 'sent' }

  /** Sends a command; resolves with its outcome. @param {string} [method] */
  async act(method = this.#main()) {
    return this.#run('signing', (session, step) => session.act(this.device, method, step))
  }

  /** Sends the command without an answer again, byte by byte the same. */
  async again() {
    return this.#run('sent', (session, step) => session.again(this.device, step))
  }

  /**
   * @param {State} first
   * @param {(session: Session, step: (s: State) => void) => Promise<Outcome>} f
   */
  async #run(first, f) {
    const { session } = this
    if (!session || this.busy) return null
    clearTimeout(this.timer)
    this.state = first
    this.code = ''
    this.outcome = null
    const o = await f(session, (s) => { this.state = s })
    this.pending = await session.store.pending(this.device)
    this.outcome = o
    this.code = o.code
    this.state = o.state
    if (o.state === 'executed' || o.state === 'idle') this.timer = setTimeout(() => this.#settle(), SHOWN)
    this.dispatchEvent(new CustomEvent('hos-outcome', { bubbles: true, composed: true, detail: o }))
    return o
  }

  #settle() {
    this.outcome = null
    this.state = 'idle'
  }

  #main() { return MAIN.find((m) => this.row?.device?.methods.includes(m)) ?? 'open' }

  /** The big button: with no answer to the last command it asks again, and makes no second one. */
  #press() { return this.state === 'unknown' && this.pending ? this.again() : this.act() }

  render() {
    const { row } = this
    if (!row) return nothing
    return html`<section part="card" aria-label=${row.device?.name ?? row.model}>
      <header>
        <div>
          <h2 part="name">${row.device?.name ?? row.model}</h2>
          <p class="model">${row.device && row.model !== row.device.name ? row.model : ''}</p>
        </div>
        ${row.device ? this.#presence(row) : nothing}
      </header>
      ${row.device ? this.#buttons(row.device) : html`<p class="note" part="unconfirmed">This lock is not confirmed by your keys. The node says that it is yours, but shows no signature of yours for it, so it cannot be used from here.</p>`}
      ${row.device && row.note ? html`<p class="note">${row.note}</p>` : nothing}
      <div role="status" aria-live="polite" aria-atomic="true" part="message">${this.#message()}</div>
      ${this.outcome?.receipt ? this.#receipt(this.outcome) : nothing}
    </section>`
  }

  /** @param {import('./session.js').Row} row */
  #presence({ online }) {
    const [name, text] = online === null ? ['unknown', 'Not known'] : online ? ['on', 'Connected'] : ['off', 'Not connected']
    return html`<span class="presence ${name}" part="presence">${text}</span>`
  }

  /** @param {import('../store.js').KnownDevice} device */
  #buttons(device) {
    const main = this.#main()
    const ask = this.state === 'unknown' && this.pending
    return html`<button part="open" class="main" ?disabled=${this.busy} aria-busy=${this.busy} @click=${this.#press}>
        ${this.busy ? html`<span class="spin" aria-hidden="true"></span>` : nothing}
        <span>${this.#caption(main)}</span>
      </button>
      <div class="more">
        ${ask ? html`<button part="anew" ?disabled=${this.busy} @click=${() => this.act(main)}>${label(main)} with a new command</button>` : nothing}
        ${this.state === 'forged' && this.pending ? html`<button part="again" @click=${this.again}>Ask what became of it</button>` : nothing}
        ${device.methods.includes('lock') && !ask ? html`<button part="lock" ?disabled=${this.busy} @click=${() => this.act('lock')}>Lock</button>` : nothing}
      </div>`
  }

  /** What the big button says. @param {string} main */
  #caption(main) {
    if (this.busy) return this.state === 'signing' ? 'Confirm…' : 'Waiting…'
    if (this.state === 'unknown' && this.pending) return 'Ask again'
    if (this.state === 'executed' && this.outcome) return html`✓ ${done(this.outcome.method)}<small>Touch to ${label(main).toLowerCase()} again</small>`
    return label(main)
  }

  #message() {
    if (this.busy) return html`<p class="words plain"><span>${UNDER_WAY[this.state]}</span></p>`
    if (!this.outcome) return nothing
    const w = explain(this.outcome)
    return html`<div class="words ${w.tone}">
      <span class="sign" aria-hidden="true">${SIGNS[w.tone]}</span>
      <div><strong>${w.title}</strong><p>${w.text}</p></div>
    </div>`
  }

  /** @param {Outcome} o */
  #receipt(o) {
    const r = /** @type {import('../receipt.js').Receipt} */ (o.receipt)
    return html`<details part="receipt">
      <summary>Receipt</summary>
      <p>Signed by the device, verified on this phone.</p>
      <dl>
        <dt>Answer</dt><dd>${r.status}, ${r.code}</dd>
        <dt>Device’s time</dt><dd>${new Date(Number(r.time)).toLocaleString()}</dd>
        <dt>Ledger height</dt><dd>${String(r.height)}</dd>
        <dt>Counter</dt><dd>${Number(r.counter) === 0 ? 'none (nothing was begun)' : String(r.counter)}</dd>
        <dt>Command</dt><dd class="hex">${o.command}</dd>
      </dl>
    </details>`
  }
}

customElements.define('hos-lock', HosLock)

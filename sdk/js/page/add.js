/**
 * Adding this phone: the steps between the link from the wallet and a profile.
 * Each step waits for the wallet's next message in the box; all of it ends with
 * `stop`, with the box's time, or with an error that says what to do next.
 */
import { equal } from '../src/codec.js'
import { HosError } from '../src/error.js'
import { keyId, keyText } from '../src/id.js'
import { checkKeyChange, compareCode, DONE, Box, PURPOSE } from '../src/phone.js'
import { createPasskey, passkeySigner } from '../src/signer.js'
import { isGrantTo } from '../src/elements/rights.js'
import { knownDevice } from '../src/elements/session.js'
import { fits } from './place.js'

/** A box lives this long on the node, ms. */
const LIFE = 15 * 60_000
/** One question waits this long on the node, s. */
const WAIT = 25
/** The offer is there before the link is: this long is waited for it, s. */
const OFFER_WAIT = 3
/** Pause after a question that failed, ms. */
const PAUSE = 2000

/** @typedef {import('../src/phone.js').Offer} Offer */
/** @typedef {import('../src/store.js').Profile} Profile */

export class Adding {
  /**
   * @param {object} parts
   * @param {Uint8Array} parts.secret of the link
   * @param {import('../src/client.js').Client} parts.client
   * @param {import('../src/store.js').Store} parts.store
   * @param {Location} [parts.at]
   */
  constructor({ secret, client, store, at = location }) {
    this.secret = secret
    this.client = client
    this.store = store
    this.at = at
    this.box = Box.fromSecret(secret)
    this.ends = Date.now() + LIFE
    this.abort = new AbortController()
    /** @type {Offer | null} */
    this.offer = null
    /** @type {Profile | null} */
    this.profile = null
    this.digits = ''
  }

  /** Ends whatever waits. */
  stop() { this.abort.abort() }

  /** What the wallet offers, checked against this page. */
  async fetchOffer() {
    const offer = await this.#await('offer')
    if (!fits(offer, this.at)) throw new HosError('elsewhere', offer.origin)
    this.offer = offer
    return offer
  }

  /** Makes the key and sends its public half. @param {string} label */
  async createKey(label) {
    const o = /** @type {Offer} */ (this.offer)
    const made = await createPasskey({
      rpId: o.rpId, origins: [o.origin], userName: `${label || 'Phone'} (${o.chainId})`, userId: crypto.getRandomValues(new Uint8Array(16)),
    })
    this.profile = {
      version: 1, chain: o.chain, chainId: o.chainId, account: o.account, purpose: /** @type {1 | 2} */ (o.purpose), label,
      rpId: o.rpId, origin: o.origin, root: o.root, keys: o.keys, ...made, devices: o.devices.map(knownDevice), grants: [], added: Date.now(),
    }
    this.digits = compareCode(this.secret, made.public)
    await this.#setup('key')
    await this.#post('key', { public: made.public, label })
  }

  get own() { return this.offer?.purpose === PURPOSE.own }

  /** Waits for the transaction that adds the key. What it gives can be signed. */
  async fetchChange() {
    const { body } = await this.#await('tx')
    const p = /** @type {Profile} */ (this.profile)
    return checkKeyChange(body, { chain: p.chain, account: p.account, public: p.public })
  }

  /** Proves that this phone holds the key. @param {{digest: Uint8Array, preimage: Uint8Array}} change */
  async prove(change) {
    const signature = await passkeySigner(/** @type {Profile} */ (this.profile)).sign(change.digest, change.preimage)
    await this.#setup('proof')
    await this.#post('proof', { signature })
  }

  /** Waits for the wallet's last word and gives the profile to keep. */
  async finish() {
    const done = await this.#await('done')
    const p = /** @type {Profile} */ (this.profile)
    if (done.status !== DONE.added) throw new HosError('refused', done.text)
    if (p.purpose === PURPOSE.guest) {
      if (done.grants.length === 0 || !done.grants.every((g) => isGrantTo(g, p))) throw new HosError('bad_message', 'a permission for another key')
      p.grants = done.grants
      p.devices = done.devices.map(knownDevice)
    }
    return p
  }

  /** @param {string} stage */
  #setup(stage) {
    const p = /** @type {Profile} */ (this.profile)
    return this.store.saveSetup({ stage, keyId: keyText(keyId(p.public)), at: Date.now(), profile: p })
  }

  /** @param {any} slot @param {any} message */
  async #post(slot, message) {
    const sealed = await this.box.seal(slot, message)
    while (true) {
      try {
        return await this.client.postBox(this.box.id, slot, sealed)
      } catch (e) {
        if (e instanceof HosError && e.kind === 'slot_taken' && await this.#stands(slot, sealed)) return
        await this.#bear(e)
      }
    }
  }

  /** Whether a slot holds this very message: its answer was lost on the way. @param {string} slot @param {Uint8Array} sealed */
  async #stands(slot, sealed) {
    const there = await this.client.getBox(this.box.id, slot).catch(() => null)
    return there !== null && equal(there, sealed)
  }

  /**
   * @template {import('../src/phone.js').Slot} S
   * @param {S} slot
   */
  async #await(slot) {
    const { signal } = this.abort
    while (true) {
      try {
        const sealed = await this.client.getBox(this.box.id, slot, { wait: slot === 'offer' ? OFFER_WAIT : WAIT, signal })
        if (sealed) return await this.box.open(slot, sealed)
        if (slot === 'offer') throw new HosError('no_offer', 'no message in the box')
        if (Date.now() > this.ends) throw new HosError('timeout', slot)
      } catch (e) {
        await this.#bear(e)
      }
    }
  }

  /** Goes on after a lost connection, while there is time; anything else is the end. @param {unknown} e */
  async #bear(e) {
    const passing = e instanceof HosError && ['unreachable', 'busy', 'rate_limited'].includes(e.kind)
    if (!passing || this.abort.signal.aborted || Date.now() > this.ends) throw e
    await new Promise((resolve) => {
      setTimeout(resolve, PAUSE)
      this.abort.signal.addEventListener('abort', resolve, { once: true })
    })
    if (this.abort.signal.aborted) throw new HosError('cancelled', 'stopped')
  }
}

/**
 * What stands behind the elements: the phone's key, its devices, and commands
 * to them. It has no look and needs no page, so it can be tested without one.
 *
 * What must never change: an outcome is `executed` only after verifyReceipt
 * with a pinned device key; a command without an answer is sent again with the
 * same bytes; a device that only a node names is not asked for anything.
 */

import { chainDigest, compare } from '../codec.js'
import { signCommand } from '../command.js'
import { HosError } from '../error.js'
import { deviceId, deviceText, fromHex, hex, keyId, keyText, parseDevice } from '../id.js'
import { verifyReceipt } from '../receipt.js'
import { passkeySigner } from '../signer.js'
import { confirmDevice, grantFor, movePin } from './rights.js'

/** @typedef {import('../store.js').Profile} Profile */
/** @typedef {import('../store.js').KnownDevice} KnownDevice */
/** @typedef {'idle' | 'signing' | 'sent' | 'executed' | 'refused' | 'expired' | 'unknown' | 'offline' | 'forged'} State */

/**
 * What became of a command.
 * @typedef {object} Outcome
 * @property {State} state
 * @property {string} code of the receipt, or the kind of error
 * @property {string} detail for people who look closer
 * @property {string} method
 * @property {string} command its id in hex, '' if there is none
 * @property {import('../receipt.js').Receipt | null} receipt verified, or null
 * @property {boolean} again the answer is to bytes that were sent before
 * @property {number} at Unix ms
 */

/**
 * A device on the list.
 * @typedef {object} Row
 * @property {string} id hosdev1…
 * @property {KnownDevice | null} device null: only the node names it
 * @property {string} model
 * @property {boolean | null} online null: not known
 * @property {string} note what the node says and the phone cannot check, or ''
 */

/** How long a command may be on its way, the person's confirmation included. */
const LIFE = 60_000

/** How many devices a node tells about on one stream. */
const MAX_WATCHED = 32

/** After how long without a stream a new one is opened. */
const RECONNECT = 5_000

/** Codes after which the place in the lane is lost, and a new lane helps. */
const LOST_LANE = ['replayed', 'jump_too_far']

/** Events: `devices`, `connection`, `notice`, `profile`, `history`. */
export class Session extends EventTarget {
  /**
   * @param {object} parts
   * @param {import('../client.js').Client} parts.client
   * @param {import('../store.js').Store} parts.store
   * @param {(p: {credentialId: Uint8Array, public: import('../key.js').PublicKey}) => import('../signer.js').Signer} [parts.signer]
   * @param {() => number} [parts.now] Unix ms
   */
  constructor({ client, store, signer = passkeySigner, now = Date.now }) {
    super()
    this.client = client
    this.store = store
    this.signer = signer
    this.now = now
    /** @type {Profile | null} */
    this.profile = null
    /** @type {Row[]} */
    this.rows = []
    /** @type {boolean | null} whether the node answers */
    this.connected = null
    /** @type {'' | 'key_gone' | 'grant_gone' | 'other_ledger'} */
    this.notice = ''
    /** @type {Map<string, boolean>} */
    this.online = new Map()
    /** @type {null | (() => void)} */
    this.unwatch = null
    /** @type {Promise<void>} */
    this.turn = Promise.resolve()
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined
  }

  /** Reads the profile and lists what is pinned. @returns {Promise<Profile | null>} */
  async load() {
    this.profile = await this.store.profile()
    this.#list([])
    this.#tell('profile')
    return this.profile
  }

  /** Begins with a new key; what was of another one is forgotten. @param {Profile} profile */
  async use(profile) {
    this.close()
    await this.store.replace(profile)
    this.online.clear()
    this.connected = null
    this.notice = ''
    await this.load()
  }

  /** Forgets key, devices and receipts. The passkey itself stays in the phone's own key store. */
  async forget() {
    this.close()
    await this.store.forget()
    this.profile = null
    this.notice = ''
    this.rows = []
    this.#tell('profile')
  }

  /** Ends the stream of events. */
  close() {
    clearTimeout(this.timer)
    this.unwatch?.()
    this.unwatch = null
  }

  /** Follows the node's events, and reads afresh whenever it (re)connects. */
  watch() {
    this.close()
    const p = this.profile
    if (!p) return
    const account = p.purpose === 1 ? p.account : undefined
    const devices = p.devices.slice(0, MAX_WATCHED).map((d) => parseDevice(d.id))
    this.unwatch = this.client.events({ account, devices }, {
      device: ({ id, online }) => this.#presence(id, online),
      rights: () => void this.refresh(),
      state: (state) => {
        clearTimeout(this.timer)
        if (state === 'open') return void this.refresh()
        this.#connection(false)
        // A browser gives up on a stream that was refused outright.
        this.timer = setTimeout(() => this.watch(), RECONNECT)
      },
    })
  }

  /** Reads devices and rights from the node. Runs one at a time. */
  refresh() {
    this.turn = this.turn.then(() => this.#refresh())
    return this.turn
  }

  async #refresh() {
    const p = this.profile
    if (!p) return
    try {
      const status = await this.client.status()
      if (compare(chainDigest(status.chain_id, fromHex(status.genesis_hash)), p.chain) !== 0) return this.#note('other_ledger')
      if (p.purpose === 1) await this.#refreshOwn(p)
      else await this.#refreshGuest(p)
      this.#connection(true)
    } catch (e) {
      this.#connection(!(e instanceof HosError && e.kind === 'unreachable'))
    }
  }

  /** @param {Profile} p */
  async #refreshOwn(p) {
    const { record } = await this.client.account(p.account)
    const mine = keyText(keyId(p.public))
    this.#note(record.keys.some((/** @type {any} */ k) => k.id === mine) ? '' : 'key_gone')
    const { devices } = await this.client.devices(p.account)
    for (const d of devices) this.online.set(d.id, d.online)
    const changed = await this.#confirm(p, devices)
    if (this.profile !== p) return // forgotten meanwhile
    if (changed) await this.store.saveProfile(p)
    this.connected = true
    this.#list(devices)
  }

  /**
   * Believes in devices that the owner's keys confirm, and in new epochs.
   * @param {Profile} p @param {any[]} devices
   */
  async #confirm(p, devices) {
    const doubtful = devices.filter((d) => p.devices.find((x) => x.id === d.id)?.epoch !== d.epoch)
    if (doubtful.length === 0) return false
    const get = (/** @type {Uint8Array} */ key) => this.client.record(key)
    try {
      p.keys = await movePin(get, p)
    } catch {
      return false // the node cannot show how the account's keys came to be: it confirms nothing
    }
    for (const d of doubtful) {
      try {
        const sure = await confirmDevice(get, p, d.id)
        const known = p.devices.find((x) => x.id === d.id)
        if (known) known.epoch = sure.epoch
        else p.devices.push(sure)
      } catch {
        // Not confirmed: it stays on the list as such, or in the epoch that is pinned.
      }
    }
    return true
  }

  /** @param {Profile} p */
  async #refreshGuest(p) {
    const key = keyId(p.public)
    // Asked apart: anybody may give a key grants and revoke them, more than one answer holds.
    const { grants } = await this.client.grants(key, { active: true })
    const gone = grants.length === 0 && (await this.client.grants(key)).grants.length > 0
    this.#note(gone ? 'grant_gone' : '')
    this.#list([])
  }

  /** @param {any[]} named what the node lists */
  #list(named) {
    const pinned = this.profile?.devices ?? []
    const missing = this.connected ? new Set(named.map((d) => d.id)) : null
    this.rows = pinned.map((device) => ({
      id: device.id, device, model: device.model, online: this.online.get(device.id) ?? null,
      note: this.profile?.purpose === 1 && missing && !missing.has(device.id) ? 'The node does not list this lock under your account any more.' : '',
    }))
    for (const d of named) {
      if (pinned.some((x) => x.id === d.id)) continue
      this.rows.push({ id: d.id, device: null, model: d.model, online: d.online, note: 'Not confirmed by your keys.' })
    }
    this.#tell('devices')
  }

  /** @param {string} id @param {boolean} online */
  #presence(id, online) {
    this.online.set(id, online)
    const row = this.rows.find((r) => r.id === id)
    if (row && row.online !== online) {
      this.rows = this.rows.map((r) => (r === row ? { ...r, online } : r))
      this.#tell('devices')
    }
  }

  /** @param {boolean} yes */
  #connection(yes) {
    if (!yes) {
      this.online.clear()
      this.rows = this.rows.map((r) => ({ ...r, online: null }))
      this.#tell('devices')
    }
    this.connected = yes
    this.#tell('connection')
  }

  /** @param {Session['notice']} notice */
  #note(notice) {
    if (notice === this.notice) return
    this.notice = notice
    this.#tell('notice')
  }

  /** @param {string} name */
  #tell(name) { this.dispatchEvent(new Event(name)) }

  /**
   * Signs a command and sends it.
   * @param {string} id hosdev1…
   * @param {string} method
   * @param {(state: State) => void} [step] told `sent` when it leaves
   * @returns {Promise<Outcome>}
   */
  async act(id, method, step = () => {}) {
    const [p, d] = [this.profile, this.profile?.devices.find((x) => x.id === id)]
    if (!p || !d) return this.#failed(method, new HosError('not_pinned', id))
    let signed
    const at = this.now()
    try {
      const grant = p.purpose === 1 ? null : grantFor(p, d, method)
      if (p.purpose === 2 && !grant) throw new HosError('not_granted', method)
      const lane = await this.store.nextNonce()
      signed = await signCommand({
        chain: p.chain, device: parseDevice(d.id), epoch: grant?.epoch ?? d.epoch, endpoint: d.endpoint, method,
        principal: p.account, grant: grant?.id, ...lane, issuedAt: at, expires: at + LIFE,
      }, this.signer(p))
      if (this.now() >= at + LIFE) throw new HosError('too_slow', 'signed after it had expired')
      await this.store.savePending({ device: id, method, id: signed.id, bytes: signed.bytes, at, expires: at + LIFE })
    } catch (e) {
      return this.#failed(method, e)
    }
    step('sent')
    return this.#exchange(d, method, signed, false)
  }

  /**
   * Sends the last command without an answer once more, with the same bytes.
   * @param {string} id hosdev1…
   * @param {(state: State) => void} [step]
   * @returns {Promise<Outcome>}
   */
  async again(id, step = () => {}) {
    const [d, old] = [this.profile?.devices.find((x) => x.id === id), await this.store.pending(id)]
    if (!d || !old) return this.#failed('', new HosError('not_pinned', id))
    step('sent')
    return this.#exchange(d, old.method, old, true)
  }

  /**
   * @param {KnownDevice} d
   * @param {string} method
   * @param {{id: Uint8Array, bytes: Uint8Array}} command
   * @param {boolean} again
   * @returns {Promise<Outcome>}
   */
  async #exchange(d, method, command, again) {
    const chain = /** @type {Profile} */ (this.profile).chain
    let answer
    try {
      answer = await this.client.send(command.bytes)
    } catch (e) {
      const o = this.#failed(method, e, command.id, again)
      // After a first sending that reached nobody there is nothing to ask again.
      if (o.state !== 'unknown' && !again) await this.store.clearPending(d.id)
      return o
    }
    let receipt
    try {
      receipt = verifyReceipt(answer, { chain, device: d.public, command: command.id, envelope: command.bytes })
      if (receipt.status !== 'executed' && receipt.code === 'ok') throw new HosError('malformed', 'a receipt that contradicts itself')
    } catch (e) {
      // Not the lock. What became of the command is open: the bytes are kept.
      const o = this.#failed(method, new HosError('forged', message(e)), command.id, again)
      await this.#remember(d, o)
      return o
    }
    const o = this.#outcome(method, command.id, receipt, again)
    await this.store.clearPending(d.id)
    if (LOST_LANE.includes(o.code)) await this.store.newLane()
    await this.#remember(d, o)
    return o
  }

  /**
   * @param {string} method @param {Uint8Array} id
   * @param {import('../receipt.js').Receipt} receipt @param {boolean} again
   * @returns {Outcome}
   */
  #outcome(method, id, receipt, again) {
    return { state: stateOf(receipt, again), code: receipt.code, detail: '', method, command: hex(id), receipt, again, at: this.now() }
  }

  /**
   * @param {string} method @param {unknown} e @param {Uint8Array} [id] @param {boolean} [again]
   * @returns {Outcome}
   */
  #failed(method, e, id, again = false) {
    const kind = e instanceof HosError ? e.kind : 'internal'
    // Of bytes that were sent before, a failure now says nothing new.
    const state = again && kind !== 'forged' ? 'unknown' : failedState(kind, !!id)
    return { state, code: kind, detail: message(e), method, command: id ? hex(id) : '', receipt: null, again, at: this.now() }
  }

  /** @param {KnownDevice} d @param {Outcome} o */
  async #remember(d, o) {
    const r = o.receipt
    await this.store.addHistory({
      device: d.id, method: o.method, command: o.command, state: o.state, code: o.code,
      height: Number(r?.height ?? 0), time: Number(r?.time ?? 0), counter: Number(r?.counter ?? 0), at: o.at,
    })
    this.#tell('history')
  }
}

/** The state of a lock after a verified receipt. @param {import('../receipt.js').Receipt} r @param {boolean} again @returns {State} */
export function stateOf(r, again) {
  if (r.status === 'executed') return 'executed'
  if (r.status === 'unknown') return 'unknown'
  if (again && (r.code === 'expired' || r.code === 'replayed')) return 'unknown'
  return ['expired', 'not_yet', 'life_too_long'].includes(r.code) ? 'expired' : 'refused'
}

/** Errors of a node that say that the command did not leave it. */
const NOT_SENT = ['bad_command', 'busy', 'rate_limited', 'bad_type', 'too_large', 'bad_body', 'bad_host', 'bad_origin']

/** The state where there is no receipt. @param {string} kind @param {boolean} sent @returns {State} */
export function failedState(kind, sent) {
  if (kind === 'forged') return 'forged'
  if (kind === 'device_offline') return 'offline'
  if (kind === 'too_slow') return 'expired'
  if (kind === 'cancelled') return 'idle'
  return sent && !NOT_SENT.includes(kind) ? 'unknown' : 'refused'
}

/** @param {unknown} e */
const message = (e) => (e instanceof HosError ? e.detail : String(e))

/** What the phone keeps of a device that the owner's wallet names. @param {any} d as in an offer @returns {KnownDevice} */
export function knownDevice(d) {
  const { public: pub, name, model, epoch, endpoint, methods } = d
  return { id: deviceText(deviceId(pub)), public: pub, name, model, epoch: Number(epoch), endpoint, methods }
}

/**
 * A client for a node's HTTP interface (docs/spec/http.md). A node can refuse
 * and can lie: nothing that it says about a device, an owner or a command
 * counts without verifyReceipt or verifyOwnership.
 */
import { HosError } from './error.js'
import { accountText, deviceText, hex, keyText, parseAccount, parseDevice, parseKey } from './id.js'
import { base64 } from '@scure/base'

/** What is used of an EventSource. @typedef {{addEventListener(type: string, f: (e: any) => void): void, close(): void}} Events */
/**
 * What to do on events. `state` is told 'open' when the stream is there and
 * 'closed' when it is lost; the browser then connects again by itself.
 * @typedef {object} Handlers
 * @property {(e: {height: number, time: string}) => void} [head]
 * @property {(e: {id: string, online: boolean}) => void} [device]
 * @property {(e: {account: string}) => void} [rights]
 * @property {(state: 'open' | 'closed') => void} [state]
 */
/** An id, or its text. @typedef {Uint8Array | string} Id */
/** @typedef {{id: string, model: string, epoch: number, online: boolean}} DeviceRow */
/** @typedef {{id: string, issuer: string, status: string}} GrantRow */

const MAX_ANSWER = 1 << 20

/** Talks to one node. */
export class Client {
  #url
  #fetch
  #EventSource

  /**
   * @param {object} [options]
   * @param {string} [options.url] of the node, without a path; default: the page's own
   * @param {typeof globalThis.fetch} [options.fetch]
   * @param {new (url: string) => Events} [options.EventSource]
   */
  constructor({ url = '', fetch = globalThis.fetch?.bind(globalThis), EventSource = globalThis.EventSource } = {}) {
    this.#url = url.replace(/\/$/, '')
    this.#fetch = fetch
    this.#EventSource = EventSource
  }

  /** Name, ledger and height of the node. @returns {Promise<any>} */
  status() {
    return this.#json('/v1/status')
  }

  /** A device's record, not proven. @param {Id} id @returns {Promise<{version: number, record: any}>} */
  device(id) {
    return this.#json(`/v1/devices/${deviceOf(id)}`)
  }

  /** An account's devices as the node says. @param {Id} account @returns {Promise<{devices: DeviceRow[], version: number}>} */
  devices(account) {
    return this.#json(`/v1/accounts/${accountOf(account)}/devices`)
  }

  /** An account's record, not proven. @param {Id} id @returns {Promise<{version: number, record: any}>} */
  account(id) {
    return this.#json(`/v1/accounts/${accountOf(id)}`)
  }

  /**
   * Grants to a key as the node says, at most a thousand of them; only those in force, if asked.
   * @param {Id} keyId @param {{active?: boolean}} [only] @returns {Promise<{grants: GrantRow[], version: number}>}
   */
  grants(keyId, { active = false } = {}) {
    return this.#json(`/v1/keys/${keyOf(keyId)}/grants${active ? '?status=active' : ''}`)
  }

  /** A record's bytes, or null: what verifyOwnership reads through. @param {Uint8Array} key @returns {Promise<Uint8Array | null>} */
  async record(key) {
    const r = await this.#json(`/v1/records/${hex(key)}`)
    if (!r.found) return null
    try {
      return base64.decode(r.value ?? '')
    } catch (cause) {
      throw new HosError('bad_answer', 'a record that is not base64', { cause })
    }
  }

  /**
   * Sends a signed command and gives the device's receipt as it came, for
   * verifyReceipt. `device_offline`: nothing was sent. `no_receipt` and
   * `unreachable`: the outcome is not known; send the same bytes again.
   * @param {Uint8Array} command
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<Uint8Array>}
   */
  async send(command, { signal } = {}) {
    return this.#bytes('/v1/commands', { method: 'POST', headers: { 'Content-Type': 'application/cbor' }, body: command, signal }, 'application/cbor')
  }

  /**
   * Listens to a node's events until close is called.
   * @param {{account?: Id, devices?: Id[]}} about
   * @param {Handlers} handlers
   * @returns {() => void} close
   */
  events({ account, devices = [] }, handlers) {
    if (!this.#EventSource) throw new HosError('unavailable', 'no EventSource here')
    const query = new URLSearchParams()
    if (account) query.append('account', accountOf(account))
    for (const d of devices) query.append('device', deviceOf(d))
    const source = new this.#EventSource(`${this.#url}/v1/events?${query}`)
    for (const type of /** @type {const} */ (['head', 'device', 'rights'])) {
      source.addEventListener(type, (e) => {
        const data = parse(e.data)
        if (data) handlers[type]?.(data)
      })
    }
    source.addEventListener('open', () => handlers.state?.('open'))
    source.addEventListener('error', () => handlers.state?.('closed'))
    return () => source.close()
  }

  /** Puts a sealed message into a slot. @param {string} box @param {string} slot @param {Uint8Array} sealed */
  async postBox(box, slot, sealed) {
    await this.#ask(`/v1/boxes/${box}/${slot}`, { method: 'POST', headers: { 'Content-Type': 'application/octet-stream' }, body: sealed })
  }

  /**
   * Takes what stands in a slot, waiting up to `wait` seconds (25 at most) for
   * it; null if nothing came.
   * @param {string} box
   * @param {string} slot
   * @param {{wait?: number, signal?: AbortSignal}} [options]
   * @returns {Promise<Uint8Array | null>}
   */
  async getBox(box, slot, { wait = 0, signal } = {}) {
    try {
      return await this.#bytes(`/v1/boxes/${box}/${slot}?wait=${wait}`, { signal }, 'application/octet-stream')
    } catch (e) {
      if (e instanceof HosError && e.kind === 'no_message') return null
      throw e
    }
  }

  /** @param {string} path @returns {Promise<any>} */
  async #json(path) {
    const data = parse(await (await this.#ask(path, {})).text())
    if (!data) throw new HosError('bad_answer', `${path}: not JSON`)
    return data
  }

  /** @param {string} path @param {object} init @param {string} type */
  async #bytes(path, init, type) {
    const res = await this.#ask(path, init)
    if (res.headers.get('Content-Type') !== type) throw new HosError('bad_answer', `${path}: not ${type}`)
    return new Uint8Array(await res.arrayBuffer())
  }

  /**
   * A successful answer with its body read, or the reason why there is none.
   * @param {string} path
   * @param {any} init
   */
  async #ask(path, init) {
    try {
      const res = await this.#fetch(this.#url + path, { cache: 'no-store', credentials: 'omit', redirect: 'error', ...init })
      const body = await read(res)
      if (res.ok) return new Response(body.length ? /** @type {BodyInit} */ (body) : null, { headers: res.headers })
      const { code, message } = parse(new TextDecoder().decode(body)) ?? {}
      if (typeof code === 'string') throw new HosError(code, String(message))
      throw new HosError('bad_answer', `${path}: status ${res.status}`)
    } catch (e) {
      if (e instanceof HosError) throw e
      const { name, message } = /** @type {Error} */ (e)
      throw new HosError(name === 'AbortError' ? 'cancelled' : 'unreachable', message, { cause: e })
    }
  }
}

/** @param {Id} id */
const accountOf = (id) => accountText(typeof id === 'string' ? parseAccount(id) : id)
/** @param {Id} id */
const deviceOf = (id) => deviceText(typeof id === 'string' ? parseDevice(id) : id)
/** @param {Id} id */
const keyOf = (id) => keyText(typeof id === 'string' ? parseKey(id) : id)

/** Reads an answer up to its cap, since a node is not trusted. @param {Response} res */
async function read(res) {
  const out = []
  let size = 0
  const reader = res.body?.getReader()
  for (let r = await reader?.read(); r && !r.done; r = await reader?.read()) {
    size += r.value.length
    if (size > MAX_ANSWER) {
      await reader?.cancel()
      throw new HosError('bad_answer', `more than ${MAX_ANSWER} bytes`)
    }
    out.push(r.value)
  }
  const all = new Uint8Array(size)
  out.reduce((at, chunk) => (all.set(chunk, at), at + chunk.length), 0)
  return all
}

/** JSON that holds an object, or null. @param {string} text @returns {any} */
function parse(text) {
  try {
    const v = JSON.parse(text)
    return typeof v === 'object' ? v : null
  } catch {
    return null
  }
}

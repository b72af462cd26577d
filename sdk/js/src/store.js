/**
 * What a phone remembers, in IndexedDB: the profile, the count of its commands,
 * commands without an answer, and the last receipts. No secret is in it: the
 * private key is in the phone's key store and cannot be read.
 *
 * @typedef {import('./key.js').PublicKey} PublicKey
 *
 * A device as the phone knows it. `pinned` ones were named by the owner's
 * wallet or are proven by the owner's signatures.
 * @typedef {object} KnownDevice
 * @property {string} id hosdev1…
 * @property {PublicKey} public receipts are checked against it and nothing else
 * @property {string} name
 * @property {string} model
 * @property {number} epoch
 * @property {string} endpoint
 * @property {string[]} methods
 *
 * @typedef {object} Profile
 * @property {1} version
 * @property {Uint8Array} chain 32 bytes
 * @property {string} chainId
 * @property {Uint8Array} account 20 bytes, the owner's
 * @property {1 | 2} purpose 1 own, 2 guest
 * @property {string} label
 * @property {string} rpId
 * @property {string} origin
 * @property {PublicKey} root
 * @property {any} keys the account's key set, moved only along signed changes
 * @property {Uint8Array} credentialId
 * @property {PublicKey} public
 * @property {KnownDevice[]} devices
 * @property {Uint8Array[]} grants envelopes
 * @property {number} added Unix ms
 *
 * A command that was sent and has no verified answer yet.
 * @typedef {object} Pending
 * @property {string} device
 * @property {string} method
 * @property {Uint8Array} id
 * @property {Uint8Array} bytes sent again as they are
 * @property {number} at Unix ms
 * @property {number} expires Unix ms
 *
 * A verified receipt, or a refusal to believe an answer.
 * @typedef {object} Entry
 * @property {string} device
 * @property {string} method
 * @property {string} command hex
 * @property {string} state as in hos-lock
 * @property {string} code
 * @property {number} height
 * @property {number} time Unix ms, the device's
 * @property {number} counter
 * @property {number} at Unix ms, the phone's
 *
 * Adding this phone, begun and not ended.
 * @typedef {object} Setup
 * @property {string} stage
 * @property {string} keyId hoskey1… or ''
 * @property {number} at Unix ms
 * @property {Profile | null} profile what it will be when the ledger has the key
 */

import { HosError } from './error.js'

const VERSION = 1
const HISTORY = 20
const TABLES = ['single', 'pending', 'history']

/** Opened with `Store.open`. Methods may be called concurrently, also from several tabs. */
export class Store {
  /** @param {IDBDatabase} db */
  constructor(db) {
    this.db = db
    db.onversionchange = () => db.close()
  }

  /**
   * @param {{name?: string, indexedDB?: IDBFactory}} [options]
   * @returns {Promise<Store>}
   */
  static async open({ name = 'hybridos', indexedDB = globalThis.indexedDB } = {}) {
    if (!indexedDB) throw new HosError('unavailable', 'this browser keeps no data for pages')
    const request = indexedDB.open(name, VERSION)
    request.onupgradeneeded = () => {
      request.result.createObjectStore('single')
      request.result.createObjectStore('pending', { keyPath: 'device' })
      request.result.createObjectStore('history', { autoIncrement: true })
    }
    return new Store(await settled(request))
  }

  close() { this.db.close() }

  /** @returns {Promise<Profile | null>} */
  async profile() { return await this.#get('single', 'profile') ?? null }

  /** Stores the profile; durable when it returns. @param {Profile} profile */
  saveProfile(profile) { return this.#put('single', profile, 'profile') }

  /** Begins anew with another key: what was of the old one is forgotten in the same step. @param {Profile} profile */
  async replace(profile) {
    const tx = this.#begin(TABLES, 'readwrite')
    for (const t of TABLES) tx.objectStore(t).clear()
    tx.objectStore('single').put(profile, 'profile')
    await committed(tx)
  }

  /** @returns {Promise<Setup | null>} */
  async setup() { return await this.#get('single', 'setup') ?? null }

  /** @param {Setup | null} setup null: it is over */
  saveSetup(setup) { return setup ? this.#put('single', setup, 'setup') : this.#delete('single', 'setup') }

  /**
   * The next place in this key's lane. It is on the disk before it is given
   * out: a number that was used twice would be refused by the device.
   * @returns {Promise<{salt: number, nonce: number}>}
   */
  async nextNonce() {
    const tx = this.#begin(['single'], 'readwrite')
    const table = tx.objectStore('single')
    let lane = await settled(table.get('lane'))
    lane = lane ? { salt: lane.salt, nonce: lane.nonce + 1 } : { salt: freshSalt(), nonce: 1 }
    table.put(lane, 'lane')
    await committed(tx)
    return lane
  }

  /** Leaves the lane, for a device that says that its place in it is lost. */
  newLane() { return this.#delete('single', 'lane') }

  /** @param {string} device @returns {Promise<Pending | null>} */
  async pending(device) { return await this.#get('pending', device) ?? null }

  /** Stores a command before it is sent. @param {Pending} p */
  savePending(p) { return this.#put('pending', p) }

  /** @param {string} device */
  clearPending(device) { return this.#delete('pending', device) }

  /** The last entries, newest first. @returns {Promise<Entry[]>} */
  async history() {
    const all = await settled(this.#begin(['history'], 'readonly').objectStore('history').getAll())
    return all.reverse()
  }

  /** Adds an entry and drops those beyond the last 20. @param {Entry} entry */
  async addHistory(entry) {
    const tx = this.#begin(['history'], 'readwrite')
    const table = tx.objectStore('history')
    table.add(entry)
    const keys = await settled(table.getAllKeys())
    for (const k of keys.slice(0, Math.max(0, keys.length - HISTORY))) table.delete(k)
    await committed(tx)
  }

  /** Forgets everything, at once. */
  async forget() {
    const tx = this.#begin(TABLES, 'readwrite')
    for (const t of TABLES) tx.objectStore(t).clear()
    await committed(tx)
  }

  /** @param {string[]} tables @param {'readonly' | 'readwrite'} mode */
  #begin(tables, mode) { return this.db.transaction(tables, mode, { durability: 'strict' }) }

  /** @param {string} table @param {string} key */
  #get(table, key) { return settled(this.#begin([table], 'readonly').objectStore(table).get(key)) }

  /** @param {string} table @param {any} value @param {string} [key] */
  async #put(table, value, key) {
    const tx = this.#begin([table], 'readwrite')
    tx.objectStore(table).put(value, key)
    await committed(tx)
  }

  /** @param {string} table @param {string} key */
  async #delete(table, key) {
    const tx = this.#begin([table], 'readwrite')
    tx.objectStore(table).delete(key)
    await committed(tx)
  }
}

/** A lane of our own among those of other phones. 53 bits: a number in JSON and in CBOR. */
function freshSalt() {
  const [a, b] = crypto.getRandomValues(new Uint32Array(2))
  return (a & 0x1fffff) * 2 ** 32 + b
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(unkept(request.error))
  })
}

/** @param {IDBTransaction} tx @returns {Promise<void>} */
function committed(tx) {
  return new Promise((resolve, reject) => {
    tx.oncomplete = () => resolve()
    tx.onabort = () => reject(unkept(tx.error))
  })
}

/** @param {unknown} cause */
const unkept = (cause) => new HosError('unavailable', 'the browser does not keep data for this page', { cause })

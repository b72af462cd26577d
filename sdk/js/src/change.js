/** The changes that governors propose: docs/spec/tx.md. */
import { checkName, checkVendorKeys, fullKey, isZero, malformed, MAX_KEYS } from './check.js'
import { compare, equal } from './codec.js'
import { keyId } from './id.js'
import { publicKey } from './key.js'
import { validName, validUrl } from './name.js'
import { bytes, list, record, text, uint } from './record.js'

/** @typedef {import('./key.js').PublicKey} PublicKey */

const MAX_UNITS = 1000000
const MAX_QUOTA_PERIOD = 2592000
const MAX_HEIGHT = 2 ** 53
const MAX_PLATFORMS = 8

/**
 * The changes that governors can propose; numbers are append-only.
 * @type {Record<string, {number: number, table: import('./record.js').Table, check(a: any): void}>}
 */
export const changes = {
  addValidator: {
    number: 1,
    table: { name: [1, text], key: [2, bytes(32)], proof: [3, bytes(64)] },
    check(a) {
      checkName(a.name)
      checkValidator(a.key)
    },
  },
  removeValidator: { number: 2, table: { key: [1, bytes(32)] }, check: (a) => checkValidator(a.key) },
  replaceKey: {
    number: 3,
    table: { old: [1, bytes(32)], new: [2, bytes(32)], proof: [3, bytes(64)] },
    check(a) {
      checkValidator(a.old)
      if (equal(a.old, a.new)) throw malformed('a key cannot replace itself')
      checkValidator(a.new)
    },
  },
  admitVendor: {
    number: 4,
    table: { name: [1, text], keys: [2, list(publicKey)], threshold: [3, uint(255)], quota: [4, uint()] },
    check(a) {
      checkName(a.name)
      checkVendorKeys(a)
    },
  },
  suspendVendor: { number: 5, table: { vendor: [1, bytes(20)] }, check: (a) => checkVendor(a.vendor) },
  setQuota: { number: 6, table: { vendor: [1, bytes(20)], quota: [2, uint()] }, check: (a) => checkVendor(a.vendor) },
  setParams: {
    number: 7,
    table: { base: [1, uint()], perDevice: [2, uint()], period: [3, uint()] },
    check(a) {
      if (a.base < 4 || a.base > MAX_UNITS || a.perDevice > MAX_UNITS) throw malformed('units of a quota')
      if (a.period < 60 || a.period > MAX_QUOTA_PERIOD) throw malformed(`a period of ${a.period} s`)
    },
  },
  scheduleUpgrade: {
    number: 8,
    table: { name: [1, text], height: [2, uint()], hashes: [3, list(bytes(32))], url: [4, text, 'optional'] },
    check(a) {
      const n = a.hashes.length
      if (!validName(a.name) || a.height === 0 || a.height > MAX_HEIGHT || n === 0 || n > MAX_PLATFORMS) throw malformed('an upgrade without name, height or programs')
      a.hashes.forEach((/** @type {Uint8Array} */ h, /** @type {number} */ i) => {
        if (isZero(h) || (i > 0 && compare(a.hashes[i - 1], h) >= 0)) throw malformed('hashes of programs missing, repeated or out of order')
      })
      if (a.url && !validUrl(a.url)) throw malformed('no https address')
    },
  },
  cancelUpgrade: {
    number: 9,
    table: { name: [1, text] },
    check(a) {
      if (!validName(a.name)) throw malformed('no upgrade')
    },
  },
  setGovernors: {
    number: 10,
    table: { threshold: [1, uint(255)], governors: [2, list(record({ name: [1, text], key: [2, publicKey], proof: [3, bytes(), 'optional'] }))] },
    check(a) {
      const n = a.governors.length
      if (n === 0 || n > MAX_KEYS || a.threshold === 0 || a.threshold > n) throw malformed(`threshold ${a.threshold} of ${n} governors`)
      a.governors.forEach((/** @type {{name: string, key: PublicKey, proof?: Uint8Array}} */ g, /** @type {number} */ i) => {
        checkName(g.name)
        fullKey(g.key, "a governor's")
        if (g.proof && g.proof.length !== 64) throw malformed(`a proof of ${g.proof.length} bytes`)
        if (a.governors.slice(0, i).some((/** @type {{key: PublicKey}} */ had) => equal(keyId(had.key), keyId(g.key)))) throw malformed('a key stands twice')
      })
    },
  },
}

/** A change, as a field. @type {import('./record.js').Table} */
export const changeTable = Object.fromEntries(Object.entries(changes).map(([name, c]) => [name, [c.number, record(c.table), 'optional']]))

/** @param {Uint8Array} key */
function checkValidator(key) {
  if (isZero(key)) throw malformed("no validator's key")
}

/** @param {Uint8Array} vendor */
function checkVendor(vendor) {
  if (isZero(vendor)) throw malformed('no vendor')
}

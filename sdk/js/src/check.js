/** What checks of transactions share. */
import { equal } from './codec.js'
import { HosError } from './error.js'
import { keyId } from './id.js'
import { invokeOnly, validate } from './key.js'
import { validModel } from './name.js'

/** @typedef {import('./key.js').PublicKey} PublicKey */

/** The most keys of an account, a vendor or governors. */
export const MAX_KEYS = 16

/** @param {Uint8Array} b */
export const isZero = (b) => b.every((x) => x === 0)

/** @param {string} detail */
export const malformed = (detail) => new HosError('malformed_tx', detail)

/** @param {PublicKey} key @param {string} as */
export function fullKey(key, as) {
  validate(key)
  if (invokeOnly(key.alg)) throw new HosError('invoke_only', `a key of algorithm ${key.alg} cannot be ${as}`)
}

/** @param {string} name */
export function checkName(name) {
  if (!validModel(name)) throw malformed('a name must be 1 to 64 printable ASCII characters')
}

/** A vendor's keys and threshold. @param {{keys: PublicKey[], threshold: number}} a */
export function checkVendorKeys(a) {
  const n = a.keys.length
  if (n === 0 || n > MAX_KEYS || a.threshold === 0 || a.threshold > n) throw malformed(`threshold ${a.threshold} of ${n} keys`)
  a.keys.forEach((k, i) => {
    fullKey(k, "a vendor's")
    if (a.keys.slice(0, i).some((had) => equal(keyId(had), keyId(k)))) throw malformed('a key stands twice')
  })
}

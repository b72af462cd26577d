/** Ids and their texts: docs/spec/keys.md. */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { hash, LABELS } from './codec.js'
import { HosError } from './error.js'
import { encodeKey } from './key.js'
import { fromText, toText } from './text.js'

/** @typedef {import('./key.js').PublicKey} PublicKey */

const ID_SIZE = 20
const MAX_TEXT = 90

/** The id of the account whose first key this is. @param {PublicKey} pub @returns {Uint8Array} 20 bytes */
export const accountId = (pub) => idOf(LABELS.account, pub)
/** The id of the device whose key this is. @param {PublicKey} pub @returns {Uint8Array} 20 bytes */
export const deviceId = (pub) => idOf(LABELS.device, pub)
/** The id of this single key. @param {PublicKey} pub @returns {Uint8Array} 20 bytes */
export const keyId = (pub) => idOf(LABELS.key, pub)

/** "hosacc1…" of an account id. @param {Uint8Array} id */
export const accountText = (id) => idText('hosacc', id)
/** "hosdev1…" of a device id. @param {Uint8Array} id */
export const deviceText = (id) => idText('hosdev', id)
/** "hoskey1…" of a key id. @param {Uint8Array} id */
export const keyText = (id) => idText('hoskey', id)

/** The account id of "hosacc1…". @param {string} text */
export const parseAccount = (text) => parseId('hosacc', text)
/** The device id of "hosdev1…". @param {string} text */
export const parseDevice = (text) => parseId('hosdev', text)
/** The key id of "hoskey1…". @param {string} text */
export const parseKey = (text) => parseId('hoskey', text)

/** The hex text of a transaction, grant or command id. @param {Uint8Array} id 32 bytes */
export const hex = (id) => bytesToHex(id)

/** The bytes of lower-case hex. @param {string} text */
export function fromHex(text) {
  if (typeof text !== 'string' || !/^([0-9a-f]{2})*$/.test(text)) throw new HosError('bad_text', 'not lower-case hex')
  return hexToBytes(text)
}

/** @param {string} label @param {PublicKey} pub */
function idOf(label, pub) {
  return hash(label, encodeKey(pub)).slice(0, ID_SIZE)
}

/** @param {string} prefix @param {Uint8Array} id */
function idText(prefix, id) {
  if (!(id instanceof Uint8Array) || id.length !== ID_SIZE) throw new HosError('bad_text', `an id is ${ID_SIZE} bytes`)
  return toText(prefix, id)
}

/** @param {string} prefix @param {string} text */
function parseId(prefix, text) {
  const id = fromText(prefix, text, MAX_TEXT)
  if (id.length !== ID_SIZE) throw new HosError('bad_text', `${id.length} bytes in the id, want ${ID_SIZE}`)
  return id
}

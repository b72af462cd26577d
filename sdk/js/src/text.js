/**
 * Texts of bytes: bech32m (BIP-350) in lower case, padding bits zero, so that
 * each thing has exactly one text.
 */
import { bech32m } from '@scure/base'
import { HosError } from './error.js'

/** The text of bytes. @param {string} prefix @param {Uint8Array} b */
export function toText(prefix, b) {
  return bech32m.encode(prefix, bech32m.toWords(b), false)
}

/** The bytes of a text. @param {string} prefix @param {string} text @param {number} max */
export function fromText(prefix, text, max) {
  if (typeof text !== 'string' || text.length > max || text !== text.toLowerCase()) throw new HosError('bad_text', 'too long or not in lower case')
  try {
    const { prefix: have, words } = bech32m.decode(/** @type {`${string}1${string}`} */ (text), false)
    if (have === prefix) return bech32m.fromWords(words)
  } catch (cause) {
    throw new HosError('bad_text', 'not bech32m', { cause })
  }
  throw new HosError('bad_text', `does not start with ${prefix}1`)
}

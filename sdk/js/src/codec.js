/**
 * The one encoding of everything that is signed or stored: CBOR in core
 * deterministic form (RFC 8949 section 4.2.1) and less than CBOR allows; see
 * docs/spec/codec.md. `decode` reads with its own strict reader and then
 * demands that another implementation (cborg) encodes the value to the very
 * same bytes.
 */
import { encode as cborgEncode, rfc8949EncodeOptions } from 'cborg'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes } from '@noble/hashes/utils.js'
import { HosError } from './error.js'

/**
 * A value that has an encoding. Integers are numbers while they are safe and
 * BigInts beyond; maps are always `Map`.
 * @typedef {null | boolean | number | bigint | string | Uint8Array | any[] | Map<any, any>} Value
 */

const MAX_DEPTH = 8
const MAX_ITEMS = 1024

/** Maps that were read and have a key twice: `malformed` where they are records. @type {WeakSet<Map<any, any>>} */
export const repeated = new WeakSet()

/** The labels that keep the domains of signatures and hashes apart. */
export const LABELS = Object.freeze({
  tx: 'hybridos/tx/v1',
  command: 'hybridos/command/v1',
  receipt: 'hybridos/receipt/v1',
  attest: 'hybridos/attest/v1',
  pair: 'hybridos/pair/v1',
  login: 'hybridos/login/v1',
  presence: 'hybridos/presence/v1',
  account: 'hybridos/account/v1',
  device: 'hybridos/device/v1',
  key: 'hybridos/key/v1',
  genesis: 'hybridos/genesis/v1',
  secret: 'hybridos/claim-secret/v1',
  receipts: 'hybridos/receipt-chain/v1',
  attests: 'hybridos/attest-chain/v1',
  validator: 'hybridos/validator/v1',
  grant: 'hybridos/grant/v1',
})

/**
 * The one canonical encoding of a value.
 * @param {Value} value
 * @returns {Uint8Array}
 */
export function encode(value) {
  const bytes = raw(value)
  read(bytes) // refuses what has an encoding in CBOR but none here: floats, undefined, depth
  return bytes
}

/**
 * Decodes the canonical encoding of one item and refuses everything else:
 * `too_large`, `malformed`, `not_canonical`.
 * @param {Uint8Array} bytes
 * @param {number} max the longest input that is looked at
 * @returns {any}
 */
export function decode(bytes, max) {
  return decodeAs(bytes, max, (v) => v)
}

/**
 * decode with a look at the value before its form is judged: what is of the
 * wrong shape is `malformed` also where it is not canonical.
 * @template T
 * @param {Uint8Array} bytes
 * @param {number} max
 * @param {(v: any) => T} shape throws `malformed`
 * @returns {T}
 */
export function decodeAs(bytes, max, shape) {
  if (!(bytes instanceof Uint8Array)) throw new HosError('malformed', 'not bytes')
  if (bytes.length > max) throw new HosError('too_large', `${bytes.length} bytes, at most ${max}`)
  const { value, loose } = read(bytes)
  const out = shape(value)
  if (loose || !equal(raw(value), bytes)) throw new HosError('not_canonical', loose || 're-encoding gives other bytes')
  return out
}

/**
 * What a signature covers, and the id of a message of one ledger:
 * SHA-256(label || 00 || chain digest || body).
 * @param {string} label one of LABELS
 * @param {Uint8Array} chain the chain digest, 32 bytes
 * @param {Uint8Array} body
 */
export function digest(label, chain, body) {
  return sha256(preimage(label, chain, body))
}

/**
 * What is hashed for a digest. A browser's own keys want this, since they hash
 * what they sign.
 * @param {string} label one of LABELS
 * @param {Uint8Array} chain the chain digest, 32 bytes
 * @param {Uint8Array} body
 */
export function preimage(label, chain, body) {
  if (!(chain instanceof Uint8Array) || chain.length !== 32) throw new HosError('malformed', 'chain digest is not 32 bytes')
  return concatBytes(utf8(label), Uint8Array.of(0), chain, body)
}

/**
 * The digest of what belongs to no ledger: SHA-256(label || 00 || body).
 * @param {string} label one of LABELS
 * @param {Uint8Array} body
 */
export function hash(label, body) {
  return sha256(concatBytes(utf8(label), Uint8Array.of(0), body))
}

/**
 * Names one ledger: SHA-256(chain id || genesis hash).
 * @param {string} chainId
 * @param {Uint8Array} genesisHash 32 bytes
 */
export function chainDigest(chainId, genesisHash) {
  return sha256(concatBytes(utf8(chainId), genesisHash))
}

/**
 * Whether two byte strings are the same.
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 */
export function equal(a, b) {
  return a.length === b.length && a.every((v, i) => v === b[i])
}

/**
 * The order of byte strings: negative, 0 or positive.
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 */
export function compare(a, b) {
  const n = Math.min(a.length, b.length)
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i] - b[i]
  return a.length - b.length
}

/** @param {string} s */
function utf8(s) {
  return new TextEncoder().encode(s)
}

/** @param {Value} value */
function raw(value) {
  try {
    return new Uint8Array(cborgEncode(value, rfc8949EncodeOptions)) // in node it is a Buffer
  } catch (cause) {
    throw new HosError('malformed', 'a value that has no encoding', { cause })
  }
}

/** @param {Uint8Array} bytes */
function read(bytes) {
  const r = new Reader(bytes)
  const value = r.item(0)
  if (r.at !== bytes.length) throw new HosError('malformed', 'bytes after the end')
  return { value, loose: r.loose }
}

/**
 * Reads one item. Badly formed input ends it at once; the first departure from
 * the canonical form is kept until the end, since `malformed` comes first.
 */
class Reader {
  at = 0
  loose = ''

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes
  }

  /** @param {number} depth @returns {Value} */
  item(depth) {
    const first = this.take(1)[0]
    const [major, info] = [first >> 5, first & 31]
    if (major === 7) return simple(info)
    if (major === 6) throw new HosError('malformed', 'a tag')
    const n = this.argument(info)
    switch (major) {
      case 0: return n
      case 1: return typeof n === 'number' && n < Number.MAX_SAFE_INTEGER ? -1 - n : -1n - BigInt(n)
      case 2: return new Uint8Array(this.take(n)) // a copy, also of a Buffer, whose slice is none
      case 3: return text(this.take(n))
      case 4: return this.array(n, depth + 1)
      default: return this.map(n, depth + 1)
    }
  }

  /** @param {number} info @returns {number | bigint} */
  argument(info) {
    if (info < 24) return info
    if (info > 27) throw new HosError('malformed', 'indefinite length or reserved form')
    const size = 1 << (info - 24)
    let n = 0n
    for (const b of this.take(size)) n = n << 8n | BigInt(b)
    if (n < 24n || (size > 1 && n >> BigInt(size * 4) === 0n)) this.loose ||= `${n} in ${size} bytes`
    return n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : n
  }

  /** @param {number | bigint} n */
  take(n) {
    if (n > this.bytes.length - this.at) throw new HosError('malformed', 'item is missing or cut short')
    const from = this.at
    this.at += Number(n)
    return this.bytes.subarray(from, this.at)
  }

  /** @param {number | bigint} n @param {number} depth */
  array(n, depth) {
    bound(n, depth)
    const out = []
    for (let i = 0; i < n; i++) out.push(this.item(depth))
    return out
  }

  /** @param {number | bigint} n @param {number} depth */
  map(n, depth) {
    bound(n, depth)
    const out = new Map()
    let last
    for (let i = 0; i < n; i++) {
      const from = this.at
      const key = this.item(depth)
      const encoded = this.bytes.subarray(from, this.at)
      if (last && compare(last, encoded) >= 0) this.loose ||= 'map keys out of order'
      last = encoded
      if (out.has(key)) repeated.add(out)
      out.set(key, this.item(depth))
    }
    return out
  }
}

/** @param {number | bigint} n @param {number} depth */
function bound(n, depth) {
  if (depth > MAX_DEPTH) throw new HosError('malformed', `more than ${MAX_DEPTH} levels`)
  if (n > MAX_ITEMS) throw new HosError('malformed', `${n} elements, at most ${MAX_ITEMS}`)
}

/** @param {number} info */
function simple(info) {
  switch (info) {
    case 20: return false
    case 21: return true
    case 22: return null
    default: throw new HosError('malformed', 'float or unassigned simple value')
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @param {Uint8Array} bytes */
function text(bytes) {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new HosError('malformed', 'text is not UTF-8', { cause })
  }
}

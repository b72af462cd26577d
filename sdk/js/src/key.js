/**
 * Public keys and signatures: docs/spec/keys.md. Verifying takes a 32-byte
 * digest, hashes nothing again, and refuses with the kinds of the Go code in
 * their order. Which key to verify with is the caller's to know: from the
 * ledger, an offer or a grant, never from the message.
 */
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { p256 } from '@noble/curves/nist.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes } from '@noble/hashes/utils.js'
import { base64urlnopad } from '@scure/base'
import { equal } from './codec.js'
import { HosError } from './error.js'
import { bytes, list, pack, record, text, uint, unpack } from './record.js'
import { fromText, toText } from './text.js'

/** A public key as it stands on the ledger. @typedef {{alg: number, bytes: Uint8Array}} PublicKey */
/** What the bytes of a passkey hold. @typedef {{point: Uint8Array, rpId: string, origins: string[]}} PasskeyRecord */
/** What a signature of a passkey holds. @typedef {{authData: Uint8Array, clientData: Uint8Array, sig: Uint8Array}} Assertion */

/** The algorithms. Numbers are append-only. */
export const ALG = Object.freeze({ secp256k1: 1, p256: 2, passkey: 3 })

/** Whether keys of this algorithm may sign commands and nothing else. @param {number} alg */
export const invokeOnly = (alg) => alg === ALG.p256 || alg === ALG.passkey

/** The longest signature of any algorithm. */
export const MAX_SIGNATURE = 1024

const MAX_ORIGINS = 4
const MAX_NAME = 128
const MAX_PASSKEY = 1 + 36 + 131 + 522
const MAX_PUBLIC_TEXT = 7 + Math.floor(((1 + MAX_PASSKEY) * 8 + 4) / 5) + 6
const [MIN_AUTH_DATA, MAX_AUTH_DATA, MAX_CLIENT_DATA] = [37, 256, 640]

/** @type {import('./record.js').Table} */
const keyTable = { alg: [1, uint(255)], bytes: [2, bytes()] }
/** A public key as a field of a record. */
export const publicKey = record(keyTable)

/** @type {import('./record.js').Table} */
const passkeyTable = { point: [1, bytes()], rpId: [2, text], origins: [3, list(text)] }
/** @type {import('./record.js').Table} */
const assertionTable = { authData: [1, bytes()], clientData: [2, bytes()], sig: [3, bytes()] }

/** @typedef {typeof p256} Curve */
/** @type {Record<number, Curve | undefined>} */
const curves = { [ALG.secp256k1]: secp256k1, [ALG.p256]: p256 }

/** The canonical encoding, of which ids are hashes. @param {PublicKey} pub */
export const encodeKey = (pub) => pack(keyTable, pub, 'public key')

/** Reads what encodeKey gives, and validates it. @param {Uint8Array} b @returns {PublicKey} */
export function decodeKey(b) {
  return validate(unpack(keyTable, b, MAX_PASSKEY + 8, 'public key'))
}

/** "hospub1…". @param {PublicKey} pub */
export const encodePublic = (pub) => toText('hospub', Uint8Array.of(pub.alg, ...pub.bytes))

/** Reads the text form and validates the key. @param {string} s @returns {PublicKey} */
export function parsePublic(s) {
  const raw = fromText('hospub', s, MAX_PUBLIC_TEXT)
  if (raw.length < 2) throw new HosError('bad_text', 'public key is empty')
  return validate({ alg: raw[0], bytes: raw.slice(1) })
}

/** Whether both are the same key. @param {PublicKey} a @param {PublicKey} b */
export const sameKey = (a, b) => a.alg === b.alg && equal(a.bytes, b.bytes)

/**
 * Gives the key back if signatures can be checked against it, and throws
 * `unknown_alg` or `bad_key` if not.
 * @param {PublicKey} pub
 */
export function validate(pub) {
  if (pub.alg === ALG.passkey) parsePasskey(pub.bytes)
  else checkPoint(curveOf(pub.alg), pub.bytes)
  return pub
}

/**
 * Checks a signature over a digest; returns nothing if it holds.
 * @param {PublicKey} pub
 * @param {Uint8Array} digest 32 bytes
 * @param {Uint8Array} sig
 */
export function verify(pub, digest, sig) {
  if (digest.length !== 32) throw new HosError('bad_signature', 'digest is not 32 bytes')
  if (pub.alg === ALG.passkey) return verifyPasskey(pub.bytes, digest, sig)
  verifyPoint(curveOf(pub.alg), pub.bytes, digest, sig)
}

/** The public key of a passkey. @param {PasskeyRecord} r @returns {PublicKey} */
export function passkeyPublic(r) {
  return validate({ alg: ALG.passkey, bytes: pack(passkeyTable, r, 'passkey') })
}

/** What a passkey's public key says about itself. @param {PublicKey} pub @returns {PasskeyRecord} */
export function decodePasskey(pub) {
  if (pub.alg !== ALG.passkey) throw new HosError('bad_key', `algorithm ${pub.alg} is no passkey`)
  return parsePasskey(pub.bytes)
}

/**
 * The signature of a passkey from the parts of an assertion.
 * @param {Assertion} a `sig` is r||s with low s
 */
export function encodeAssertion(a) {
  const out = pack(assertionTable, a, 'assertion')
  decodeAssertion(out)
  return out
}

/** @param {number} alg */
function curveOf(alg) {
  const curve = curves[alg]
  if (!curve) throw new HosError('unknown_alg', `algorithm ${alg}`)
  return curve
}

/** @param {Curve} curve @param {Uint8Array} b */
function checkPoint(curve, b) {
  if (b.length !== 33) throw new HosError('bad_key', `${b.length} bytes, want 33`)
  try {
    curve.Point.fromBytes(b)
  } catch (cause) {
    throw new HosError('bad_key', 'not a compressed point of the curve', { cause })
  }
}

/** The one form of r||s. @param {Curve} curve @param {Uint8Array} sig */
function checkForm(curve, sig) {
  if (!(sig instanceof Uint8Array) || sig.length !== 64) throw new HosError('bad_signature', `${sig?.length} bytes, want 64`)
  const [r, s, n] = [number(sig.subarray(0, 32)), number(sig.subarray(32)), curve.Point.Fn.ORDER]
  if (r >= n || s >= n) throw new HosError('bad_signature', 'r or s not below the group order')
  if (r === 0n || s === 0n) throw new HosError('bad_signature', 'r or s is zero')
  if (s > n >> 1n) throw new HosError('high_s', 's is in the upper half of the group order')
}

/** @param {Curve} curve @param {Uint8Array} pub @param {Uint8Array} digest @param {Uint8Array} sig */
function verifyPoint(curve, pub, digest, sig) {
  checkForm(curve, sig)
  checkPoint(curve, pub)
  if (!curve.verify(sig, digest, pub, { prehash: false, lowS: true })) throw new HosError('bad_signature', 'does not match key and digest')
}

/** @param {Uint8Array} b */
const number = (b) => b.reduce((n, x) => n << 8n | BigInt(x), 0n)

/** @param {Uint8Array} b @returns {PasskeyRecord} */
function parsePasskey(b) {
  /** @type {PasskeyRecord} */
  const r = as('bad_key', () => unpack(passkeyTable, b, MAX_PASSKEY, 'passkey'))
  const bad = (/** @type {string} */ detail) => new HosError('bad_key', detail)
  if (!validDomain(r.rpId)) throw bad('relying party id is no domain name in lower case')
  if (r.origins.length === 0 || r.origins.length > MAX_ORIGINS) throw bad(`${r.origins.length} origins, want 1 to ${MAX_ORIGINS}`)
  r.origins.forEach((o, i) => {
    if (!validOrigin(o, r.rpId)) throw bad(`origin ${JSON.stringify(o)} is not a page of ${r.rpId}`)
    if (i > 0 && r.origins[i - 1] >= o) throw bad('origins repeated or out of order')
  })
  checkPoint(p256, r.point)
  return r
}

/** A domain name in lower case and no IP address: the last label begins with a letter. @param {string} s */
function validDomain(s) {
  const labels = s.split('.')
  return s.length <= MAX_NAME && /^[a-z]/.test(labels[labels.length - 1]) &&
    labels.every((l) => l.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(l))
}

/** An origin as browsers write it, on the relying party's domain or below. @param {string} s @param {string} rpId */
function validOrigin(s, rpId) {
  const m = /^(https?):\/\/([^:/]+)(?::([1-9][0-9]{0,4}))?$/.exec(s)
  if (!m || s.length > MAX_NAME || !validDomain(m[2])) return false
  const [, scheme, host, port] = m
  if (Number(port ?? 1) > 65535 || port === (scheme === 'https' ? '443' : '80')) return false
  return (scheme === 'https' || host === 'localhost') && (host === rpId || host.endsWith('.' + rpId))
}

/** The order of checks is that of docs/spec/keys.md. @param {Uint8Array} pub @param {Uint8Array} digest @param {Uint8Array} sig */
function verifyPasskey(pub, digest, sig) {
  const a = decodeAssertion(sig)
  const r = parsePasskey(pub)
  checkClientData(a.clientData, digest, r.origins)
  checkAuthData(a.authData, r.rpId)
  const signed = sha256(concatBytes(a.authData, sha256(a.clientData)))
  verifyPoint(p256, r.point, signed, a.sig)
}

/** @param {Uint8Array} sig @returns {Assertion} */
function decodeAssertion(sig) {
  /** @type {Assertion} */
  const a = as('bad_signature', () => unpack(assertionTable, sig, MAX_SIGNATURE, 'assertion'))
  if (a.authData.length < MIN_AUTH_DATA || a.authData.length > MAX_AUTH_DATA || a.clientData.length > MAX_CLIENT_DATA || a.sig.length !== 64) {
    throw new HosError('bad_signature', 'a part of the assertion is too short or too long')
  }
  return a
}

/**
 * The limited verification of WebAuthn Level 2, section 5.8.1.2, on the bytes:
 * no JSON parser, since parsers disagree about repeated names and odd escapes.
 * @param {Uint8Array} data
 * @param {Uint8Array} digest
 * @param {string[]} origins
 */
function checkClientData(data, digest, origins) {
  let rest = latin1(data)
  const cut = (/** @type {string} */ prefix) => {
    if (!rest.startsWith(prefix)) return false
    rest = rest.slice(prefix.length)
    return true
  }
  if (!cut('{"type":"webauthn.get","challenge":"')) throw new HosError('bad_signature', 'client data is not of an assertion')
  if (!cut(base64urlnopad.encode(digest) + '"')) throw new HosError('wrong_challenge', 'made for another digest')
  if (!origins.some((o) => cut(`,"origin":"${o}"`))) throw new HosError('wrong_origin', 'made on a page that the key does not name')
  if (rest === '}') return
  if (!cut(',"crossOrigin":false')) throw new HosError('wrong_origin', 'made in a frame of another site')
  if (rest !== '}' && !(rest.length >= 2 && rest.startsWith(',') && rest.endsWith('}'))) throw new HosError('bad_signature', 'client data does not end as it should')
}

/** One character for each byte. @param {Uint8Array} b */
const latin1 = (b) => String.fromCharCode(...b)

/** @param {Uint8Array} data @param {string} rpId */
function checkAuthData(data, rpId) {
  const [present, verified, attested, extended] = [1, 4, 64, 128].map((bit) => (data[32] & bit) !== 0)
  if (!equal(data.subarray(0, 32), sha256(new TextEncoder().encode(rpId)))) throw new HosError('wrong_rp', `made for another relying party than ${rpId}`)
  if (!present) throw new HosError('user_not_present', 'nobody touched the authenticator')
  if (!verified) throw new HosError('user_not_verified', 'neither PIN nor biometrics')
  if (attested || extended !== data.length > MIN_AUTH_DATA) throw new HosError('bad_signature', 'authenticator data of another ceremony')
}

/**
 * What f gives; its refusals become those of a kind.
 * @template T
 * @param {string} kind
 * @param {() => T} f
 */
function as(kind, f) {
  try {
    return f()
  } catch (cause) {
    throw new HosError(kind, /** @type {HosError} */ (cause).message, { cause })
  }
}

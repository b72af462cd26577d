/** Signers: what holds or reaches a secret key and signs digests with it. */
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { p256 } from '@noble/curves/nist.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { equal } from './codec.js'
import { HosError } from './error.js'
import { ALG, decodePasskey, encodeAssertion, passkeyPublic, verify } from './key.js'

/** @typedef {import('./key.js').PublicKey} PublicKey */

/**
 * Signs digests with one key. `preimage` is what the digest was made of; keys
 * that hash what they sign (browserSigner) need it, others do not look at it.
 * @typedef {object} Signer
 * @property {PublicKey} public
 * @property {(digest: Uint8Array, preimage?: Uint8Array) => Promise<Uint8Array>} sign
 */

const MINUTE = 60_000

/**
 * Signs with a secp256k1 secret (RFC 6979, low s): the same bytes as the Go code.
 * @param {Uint8Array} secret 32 bytes
 * @returns {Signer}
 */
export const secp256k1Signer = (secret) => softSigner(ALG.secp256k1, secp256k1, secret)

/**
 * Signs with a P-256 secret (RFC 6979, low s).
 * @param {Uint8Array} secret 32 bytes
 * @returns {Signer}
 */
export const p256Signer = (secret) => softSigner(ALG.p256, p256, secret)

/** @param {number} alg @param {typeof p256} curve @param {Uint8Array} secret @returns {Signer} */
function softSigner(alg, curve, secret) {
  if (!(secret instanceof Uint8Array) || !curve.utils.isValidSecretKey(secret)) throw new HosError('bad_key', 'not a secret of the curve')
  const key = new Uint8Array(secret)
  return {
    public: { alg, bytes: curve.getPublicKey(key) },
    sign: async (digest) => curve.sign(digest, key, { prehash: false, lowS: true }),
  }
}

/**
 * A browser's own P-256 key: the secret cannot be read, also not by the page.
 * `privateKey` can be kept in IndexedDB.
 * @typedef {{privateKey: CryptoKey, public: PublicKey}} BrowserKey
 */

/** Makes a key that never leaves this browser. @returns {Promise<BrowserKey>} */
export async function createBrowserKey() {
  const pair = await subtle().generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])
  const raw = new Uint8Array(await subtle().exportKey('raw', pair.publicKey))
  return { privateKey: pair.privateKey, public: { alg: ALG.p256, bytes: compress(raw) } }
}

/**
 * Signs with a browser's own key. It needs the preimage of each digest.
 * @param {BrowserKey} key
 * @returns {Signer}
 */
export function browserSigner(key) {
  return {
    public: key.public,
    async sign(digest, preimage) {
      if (!preimage || !equal(sha256(preimage), digest)) throw new HosError('malformed', 'the digest is not that of the preimage')
      const sig = await subtle().sign({ name: 'ECDSA', hash: 'SHA-256' }, key.privateKey, /** @type {BufferSource} */ (preimage))
      return lowS(p256.Signature.fromBytes(new Uint8Array(sig), 'compact'))
    },
  }
}

/**
 * Signs with a passkey: the person is asked each time. What comes back is
 * checked as the device will check it, so that a wrong page or authenticator
 * shows here.
 * @param {{credentialId: Uint8Array, public: PublicKey, timeout?: number}} passkey timeout in milliseconds
 * @returns {Signer}
 */
export function passkeySigner({ credentialId, public: pub, timeout = MINUTE }) {
  const { rpId } = decodePasskey(pub)
  return {
    public: pub,
    async sign(digest) {
      const credential = await ask(() => credentials().get({
        publicKey: {
          challenge: /** @type {BufferSource} */ (digest), rpId, timeout, userVerification: 'required',
          allowCredentials: [{ type: 'public-key', id: /** @type {BufferSource} */ (credentialId) }],
        },
      }))
      const response = /** @type {AuthenticatorAssertionResponse} */ (credential.response)
      const sig = encodeAssertion({
        authData: new Uint8Array(response.authenticatorData),
        clientData: new Uint8Array(response.clientDataJSON),
        sig: fromDER(new Uint8Array(response.signature)),
      })
      verify(pub, digest, sig)
      return sig
    },
  }
}

/**
 * Makes a passkey on this device; the person is asked.
 * @param {{rpId: string, origins: string[], userName: string, userId: Uint8Array, rpName?: string, timeout?: number}} options
 * @returns {Promise<{credentialId: Uint8Array, public: PublicKey}>}
 */
export async function createPasskey({ rpId, origins, userName, userId, rpName = 'HybridOS', timeout = MINUTE }) {
  const challenge = crypto.getRandomValues(new Uint8Array(32)) // no attestation is asked for, so that nothing hangs on it
  const credential = await ask(() => credentials().create({
    publicKey: {
      challenge, timeout, attestation: 'none',
      rp: { id: rpId, name: rpName },
      user: { id: /** @type {BufferSource} */ (userId), name: userName, displayName: userName },
      pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
      authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
    },
  }))
  const response = /** @type {AuthenticatorAttestationResponse} */ (credential.response)
  const spki = response.getPublicKeyAlgorithm() === -7 && response.getPublicKey()
  if (!spki) throw new HosError('unavailable', 'the authenticator made no P-256 key')
  const public_ = passkeyPublic({ point: fromSPKI(new Uint8Array(spki)), rpId, origins: [...origins].sort() })
  return { credentialId: new Uint8Array(credential.rawId), public: public_ }
}

/**
 * r||s with low s from the DER form that authenticators give.
 * @param {Uint8Array} der
 * @returns {Uint8Array} 64 bytes
 */
export function fromDER(der) {
  try {
    return lowS(p256.Signature.fromBytes(der, 'der'))
  } catch (cause) {
    throw new HosError('bad_signature', 'not a DER signature', { cause })
  }
}

/** Both s and n - s are valid, and the wire knows one. @param {{r: bigint, s: bigint, hasHighS(): boolean, toBytes(format: 'compact'): Uint8Array}} sig */
function lowS(sig) {
  const low = sig.hasHighS() ? new p256.Signature(sig.r, p256.Point.Fn.ORDER - sig.s) : sig
  return low.toBytes('compact')
}

/** What stands before the point in a P-256 SubjectPublicKeyInfo (RFC 5480). */
const SPKI_HEAD = Uint8Array.from([
  0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
  0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
])

/** @param {Uint8Array} spki */
function fromSPKI(spki) {
  if (spki.length !== SPKI_HEAD.length + 65 || !equal(spki.subarray(0, SPKI_HEAD.length), SPKI_HEAD)) throw new HosError('bad_key', 'not a P-256 key')
  return compress(spki.subarray(SPKI_HEAD.length))
}

/** @param {Uint8Array} point 65 bytes */
function compress(point) {
  try {
    return p256.Point.fromBytes(point).toBytes(true)
  } catch (cause) {
    throw new HosError('bad_key', 'not a point of P-256', { cause })
  }
}

function subtle() {
  const s = globalThis.crypto?.subtle
  if (!s) throw new HosError('unavailable', 'this page has no cryptography: it needs https, or http://localhost')
  return s
}

function credentials() {
  const c = globalThis.navigator?.credentials
  if (!c) throw new HosError('unavailable', 'this page has no passkeys: they need https and a name, or http://localhost')
  return c
}

/** @param {() => Promise<Credential | null>} f @returns {Promise<PublicKeyCredential>} */
async function ask(f) {
  let credential
  try {
    credential = await f()
  } catch (cause) {
    if (cause instanceof HosError) throw cause
    const { name, message } = /** @type {Error} */ (cause)
    const kind = name === 'NotAllowedError' || name === 'AbortError' ? 'cancelled' : 'unavailable'
    throw new HosError(kind, `${name}: ${message}`, { cause })
  }
  if (!credential) throw new HosError('cancelled', 'no passkey was chosen')
  return /** @type {PublicKeyCredential} */ (credential)
}

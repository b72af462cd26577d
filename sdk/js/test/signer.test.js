import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, sign as nodeSign } from 'node:crypto'
import test, { afterEach } from 'node:test'
import {
  ALG, HosError, MAX_LIFE, accountId, browserSigner, buildCommand, createBrowserKey, createPasskey, decodeCommand, decodePasskey, digest, fromDER, keyId,
  p256Signer, passkeySigner, preimage, secp256k1Signer, signCommand, verify, verifyCommand, verifyReceipt,
} from '../src/index.js'
import { load, unhex } from './vectors.js'

const kind = (k) => (e) => e instanceof HosError && (assert.equal(e.kind, k), true)
const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sha256')).digest()
const b = (...n) => Uint8Array.from(n)
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const fields = {
  chain: new Uint8Array(32).fill(1), device: new Uint8Array(20).fill(2), epoch: 1, endpoint: 'lock', method: 'open', principal: new Uint8Array(20).fill(3),
  salt: 2n ** 64n - 1n, nonce: 1, issuedAt: 1_700_000_000_000, expires: 1_700_000_000_000 + MAX_LIFE,
}

/**
 * What navigator.credentials is to the signer: only the shapes of WebAuthn, so
 * that packing can be tested without a browser. The real one is in testnet/e2e.
 */
function authenticator({ origin = 'https://home.example', flags = 5, crossOrigin = false, algorithm = -7, curve = 'P-256', fail } = {}) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve })
  const calls = []
  const view = (buf) => Uint8Array.from(buf).buffer
  const credentials = {
    async create({ publicKey: options }) {
      calls.push(options)
      if (fail) throw fail
      return {
        rawId: view(b(9, 9)),
        response: { getPublicKeyAlgorithm: () => algorithm, getPublicKey: () => view(publicKey.export({ type: 'spki', format: 'der' })) },
      }
    },
    async get({ publicKey: options }) {
      calls.push(options)
      if (fail) throw fail
      const challenge = Buffer.from(options.challenge).toString('base64url')
      const clientData = Buffer.from(JSON.stringify({ type: 'webauthn.get', challenge, origin, crossOrigin }))
      const authData = Buffer.concat([sha256(options.rpId), b(flags, 0, 0, 0, 0)])
      const signature = nodeSign('sha256', Buffer.concat([authData, sha256(clientData)]), privateKey)
      return { response: { authenticatorData: view(authData), clientDataJSON: view(clientData), signature: view(signature) } }
    },
  }
  Object.defineProperty(globalThis, 'navigator', { value: { credentials }, configurable: true })
  return calls
}

afterEach(() => void Object.defineProperty(globalThis, 'navigator', { value: undefined, configurable: true }))

const options = { rpId: 'home.example', origins: ['https://www.home.example', 'https://home.example'], userName: 'Kim', userId: b(1) }

test('soft signers sign alike twice, and each algorithm for itself', async () => {
  const secret = new Uint8Array(32).fill(7)
  const d = new Uint8Array(32).fill(8)
  for (const make of [secp256k1Signer, p256Signer]) {
    const s = make(secret)
    const sig = await s.sign(d)
    assert.deepEqual(await s.sign(d), sig)
    verify(s.public, d, sig)
    assert.throws(() => verify(s.public, new Uint8Array(32), sig), kind('bad_signature'))
    for (const bad of [new Uint8Array(31), new Uint8Array(32), new Uint8Array(32).fill(255), 'x']) assert.throws(() => make(bad), kind('bad_key'))
  }
  const copy = secret.slice()
  const s = p256Signer(copy)
  copy.fill(1) // a signer keeps its own copy
  assert.deepEqual(await s.sign(d), await p256Signer(secret).sign(d))
})

test("a browser's own key: hidden, and it signs the digest of the preimage", async () => {
  const key = await createBrowserKey()
  assert.equal(key.public.alg, ALG.p256)
  assert.equal(key.privateKey.extractable, false)
  const s = browserSigner(key)
  for (let i = 0; i < 20; i++) { // half of what WebCrypto gives has a high s
    const [d, p] = [digest('hybridos/tx/v1', fields.chain, b(i)), preimage('hybridos/tx/v1', fields.chain, b(i))]
    verify(key.public, d, await s.sign(d, p))
  }
  await assert.rejects(s.sign(new Uint8Array(32)), kind('malformed'))
  await assert.rejects(s.sign(new Uint8Array(32), b(1)), kind('malformed'))
  const c = await signCommand(fields, s)
  assert.deepEqual(verifyCommand(decodeCommand(c.bytes), fields.chain, key.public), c.id)
})

test('a passkey is made, asked for, packed and found right', async () => {
  const calls = authenticator()
  const passkey = await createPasskey(options)
  assert.deepEqual(passkey.credentialId, b(9, 9))
  assert.deepEqual(decodePasskey(passkey.public).origins, ['https://home.example', 'https://www.home.example'])
  assert.equal(calls[0].authenticatorSelection.userVerification, 'required')
  assert.deepEqual(calls[0].pubKeyCredParams, [{ type: 'public-key', alg: -7 }])
  const s = passkeySigner(passkey)
  for (let i = 0; i < 20; i++) {
    const c = await signCommand({ ...fields, nonce: i + 1 }, s)
    assert.deepEqual(verifyCommand(decodeCommand(c.bytes), fields.chain, passkey.public), c.id)
    assert.deepEqual(calls.at(-1).challenge, c.id)
  }
  const { allowCredentials, rpId, userVerification } = calls.at(-1)
  assert.deepEqual({ allowCredentials, rpId, userVerification }, {
    allowCredentials: [{ type: 'public-key', id: b(9, 9) }], rpId: 'home.example', userVerification: 'required',
  })
})

test('an assertion that a device would refuse is refused here', async () => {
  for (const [bad, want] of [
    [{ origin: 'https://evil.example' }, 'wrong_origin'], [{ crossOrigin: true }, 'wrong_origin'],
    [{ flags: 4 }, 'user_not_present'], [{ flags: 1 }, 'user_not_verified'], [{ flags: 69 }, 'bad_signature'],
  ]) {
    authenticator(bad)
    const s = passkeySigner(await createPasskey(options))
    await assert.rejects(s.sign(new Uint8Array(32)), kind(want))
  }
  authenticator()
  const passkey = await createPasskey(options)
  authenticator() // another authenticator answers
  await assert.rejects(passkeySigner(passkey).sign(new Uint8Array(32)), kind('bad_signature'))
})

test('no passkeys here, the person says no, another curve', async () => {
  await assert.rejects(createPasskey(options), kind('unavailable'))
  for (const [name, want] of [['NotAllowedError', 'cancelled'], ['AbortError', 'cancelled'], ['SecurityError', 'unavailable']]) {
    authenticator({ fail: new DOMException('no', name) })
    await assert.rejects(createPasskey(options), kind(want))
  }
  authenticator({ algorithm: -257 })
  await assert.rejects(createPasskey(options), kind('unavailable'))
  authenticator({ curve: 'P-384' })
  await assert.rejects(createPasskey(options), kind('bad_key'))
  authenticator()
  await assert.rejects(createPasskey({ ...options, origins: ['https://evil.example'] }), kind('bad_key'))
  assert.throws(() => passkeySigner({ credentialId: b(1), public: p256Signer(new Uint8Array(32).fill(1)).public }), kind('bad_key'))
})

test('DER to r||s: low s, full width, nothing else', () => {
  const der = (r, s) => {
    const int = (n) => {
      let h = n.toString(16)
      if (h.length % 2) h = '0' + h
      if (parseInt(h.slice(0, 2), 16) > 127) h = '00' + h
      return [2, h.length / 2, ...unhex(h)]
    }
    const body = [...int(r), ...int(s)]
    return b(0x30, body.length, ...body)
  }
  const wide = (n) => unhex(n.toString(16).padStart(64, '0'))
  const want = (r, s) => b(...wide(r), ...wide(s))
  assert.deepEqual(fromDER(der(1n, 1n)), want(1n, 1n))
  assert.deepEqual(fromDER(der(order - 1n, order - 1n)), want(order - 1n, 1n))
  assert.deepEqual(fromDER(der(0x80n, (order + 1n) / 2n)), want(0x80n, (order - 1n) / 2n))
  assert.deepEqual(fromDER(der(0x80n, (order - 1n) / 2n)), want(0x80n, (order - 1n) / 2n))
  const good = der(5n, 6n)
  for (const bad of [b(), good.subarray(1), b(...good, 0), b(0x31, ...good.subarray(1)), der(0n, 1n), der(1n, 0n), der(order, 1n), der(1n, order)]) {
    assert.throws(() => fromDER(bad), kind('bad_signature'))
  }
})

test('a command takes key and principal from its signer', async () => {
  const s = secp256k1Signer(new Uint8Array(32).fill(7))
  const own = decodeCommand((await signCommand(fields, s)).bytes)
  assert.deepEqual(own.fields.keyId, keyId(s.public))
  assert.deepEqual(own.fields.principal, fields.principal)
  assert.equal(own.fields.salt, fields.salt)
  const grant = new Uint8Array(32).fill(5)
  const guest = decodeCommand((await signCommand({ ...fields, principal: undefined, grant, params: b(1) }, s)).bytes)
  assert.deepEqual(guest.fields.principal, accountId(s.public))
  assert.deepEqual([guest.fields.grant, guest.fields.params], [grant, b(1)])
  await assert.rejects(signCommand({ ...fields, principal: undefined }, s), kind('malformed'))
})

test('commands that are not made', () => {
  const all = { ...fields, keyId: new Uint8Array(20) }
  assert.equal(buildCommand(all).digest.length, 32)
  for (const [bad, want] of [
    [{ epoch: 0 }, 'malformed'], [{ nonce: 0 }, 'malformed'], [{ expires: all.issuedAt }, 'malformed'], [{ method: 'Open' }, 'malformed'],
    [{ endpoint: '' }, 'malformed'], [{ nonce: 1.5 }, 'malformed'], [{ nonce: -1 }, 'malformed'], [{ salt: 2n ** 64n }, 'malformed'],
    [{ device: new Uint8Array(19) }, 'not_canonical'], [{ chain: new Uint8Array(31) }, 'malformed'], [{ grant: new Uint8Array(31) }, 'not_canonical'],
    [{ params: new Uint8Array(4000) }, 'too_large'], [{ params: 'x' }, 'malformed'],
  ]) assert.throws(() => buildCommand({ ...all, ...bad }), kind(want), Object.keys(bad)[0])
})

test('a receipt counts for its device, its command, its ledger and as it came', () => {
  const c = load('receipt').cases.find((c) => c.name === 'valid/executed')
  const good = { chain: unhex(c.in.chain_digest), device: { alg: 1, bytes: unhex(c.in.public) }, command: unhex(c.in.command) }
  const bytes = unhex(c.hex)
  assert.equal(verifyReceipt(bytes, good).status, 'executed')
  assert.throws(() => verifyReceipt(bytes, { ...good, chain: new Uint8Array(32) }), kind('bad_signature'))
  assert.throws(() => verifyReceipt(bytes, { ...good, command: new Uint8Array(32) }), kind('malformed'))
  assert.throws(() => verifyReceipt(bytes, { ...good, device: p256Signer(new Uint8Array(32).fill(1)).public }), kind('wrong_device'))
  assert.throws(() => verifyReceipt(new TextEncoder().encode('opened'), good), kind('malformed'))
  for (let i = 0; i < bytes.length; i++) {
    const bad = bytes.slice()
    bad[i] ^= 1
    assert.throws(() => verifyReceipt(bad, good), HosError)
  }
})

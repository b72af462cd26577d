/** Every case of every file of chain/vectors but state.json, which has a file of its own. */
import assert from 'node:assert/strict'
import test from 'node:test'
import {
  CODES, LABELS, STATUS, StreamVerifier, TX_KINDS, accountId, accountText, chainDigest, decode, decodeCommand, decodePasskey, decodeTx, deviceId, deviceText, digest,
  encode, encodeKey, encodePublic, encodeTx, hash, hex, keyId, keyText, p256Signer, parseAccount, parsePublic, passkeyPublic, secp256k1Signer,
  txDigest, validate, verify, verifyCommand, verifyReceipt,
} from '../src/index.js'
import { files, load, run, unhex, x } from './vectors.js'

const publicOf = ({ in: i }, prefix = '') => ({ alg: Number(i[`${prefix}alg`] ?? 1), bytes: unhex(i[`${prefix}public`]) })
const signerOf = ({ in: i }) => (i.alg === '2' || i.alg === '3' ? p256Signer : secp256k1Signer)(unhex(i.secret))

const handled = {
  codec: {
    form(_, b) {
      decode(Uint8Array.of(0xa1, 1, ...b), 64)
      return { accepted: 'yes' }
    },
    chain: ({ in: i }) => ({ chain_digest: x(chainDigest(i.chain_id, unhex(i.genesis_hash))) }),
    digest({ in: i }, b) {
      assert.ok(Object.values(LABELS).includes(i.label))
      return { digest: x(digest(i.label, unhex(i.chain_digest), b)) }
    },
    hash({ in: i }, b) {
      assert.ok(Object.values(LABELS).includes(i.label))
      return { hash: x(hash(i.label, b)) }
    },
  },
  key: {
    ids(c) {
      const { public: plain } = signerOf(c)
      const p = c.in.alg === '3' ? passkeyPublic({ point: plain.bytes, rpId: c.in.rp_id, origins: c.in.origins.split(' ') }) : plain
      const text = encodePublic(p)
      assert.deepEqual(parsePublic(text), p)
      if (c.in.alg === '3') assert.equal(decodePasskey(p).rpId, c.in.rp_id)
      return {
        public: x(p.bytes), encoded: x(encodeKey(p)), public_text: text, key_id: x(keyId(p)), key_text: keyText(keyId(p)),
        account_id: x(accountId(p)), account_text: accountText(accountId(p)), device_id: x(deviceId(p)), device_text: deviceText(deviceId(p)),
      }
    },
    async sign(c) {
      const signer = signerOf(c)
      const sig = await signer.sign(unhex(c.in.digest))
      verify(signer.public, unhex(c.in.digest), sig)
      return { signature: x(sig) }
    },
    accept: (c) => (verify(publicOf(c), unhex(c.in.digest), unhex(c.in.signature)), { accepted: 'yes' }),
    verify: (c) => (verify(publicOf(c), unhex(c.in.digest), unhex(c.in.signature)), { accepted: 'yes' }),
    public: (c) => (validate(publicOf(c)), { accepted: 'yes' }),
    text: (c) => ({ accepted: x(parseAccount(c.in.text)) }),
  },
  tx: { valid: checkTx, refused: checkTx },
  command: { valid: checkCommand, refused: checkCommand },
  receipt: { valid: checkReceipt, refused: checkReceipt },
  attest: { taken: checkStatement, refused: checkStatement },
  codes: {
    code: (c) => ({ number: String(CODES[c.name.slice(5)]) }),
    status: (c) => ({ number: String(STATUS[c.name.slice(7)]) }),
    kind: (c) => ({ number: String(TX_KINDS[c.name.slice(5)]) }),
  },
  genesis: {
    valid: checkGenesis,
    'no-vendors': checkGenesis,
    // Reading the JSON document is for whoever starts a node; a page gets the
    // ledger's digest from its wallet, and a program pins the hash.
    refused: (c) => validatorsOnly(c, /^refused\/(twice|capitals|chain-id|[a-z0-9-]*(invoke|passkey|p256)[a-z0-9-]*|governors-[a-z]+)$/),
  },
}

test('every file is handled', () => assert.deepEqual([...Object.keys(handled), 'state'].sort(), files))
for (const [name, groups] of Object.entries(handled)) run(name, groups)

test('no code, status, kind or label is missing in the files', () => {
  const names = new Set([...load('codes').cases, ...load('codec').cases].map((c) => c.name))
  for (const k of Object.keys(CODES)) assert.ok(names.has(`code/${k}`), k)
  for (const k of Object.keys(STATUS)) assert.ok(names.has(`status/${k}`), k)
  for (const k of Object.keys(TX_KINDS)) assert.ok(names.has(`kind/${k}`), k)
  for (const l of Object.values(LABELS)) if (l !== LABELS.presence) assert.ok(names.has(`digest/${l}`) || names.has(`hash/${l}`), l)
})

function checkTx(c, b) {
  const t = decodeTx(b)
  const id = txDigest(unhex(c.in.chain_digest), t.raw)
  const of = (pub) => t.sigs.find((s) => x(s.key) === x(keyId(pub)))
  const sig = of(publicOf(c))
  verify(publicOf(c), id, sig.bytes)
  const out = {
    id: hex(id), kind: String(t.body.kind), account: x(t.body.account), sequence: String(t.body.sequence), expires: String(t.body.expires),
    payload: x(encode(decode(t.raw, 65536).get(6))), role: String(sig.role), signature: x(sig.bytes),
  }
  if (c.in.new_public) {
    const added = of(publicOf(c, 'new_'))
    verify(publicOf(c, 'new_'), id, added.bytes)
    out.new_signature = x(added.bytes)
  }
  assert.equal(t.sigs.length, c.in.new_public ? 2 : 1)
  assert.equal(x(encodeTx(t.raw, [...t.sigs].reverse())), c.hex)
  return out
}

function checkCommand(c, b) {
  const r = decodeCommand(b)
  const { fields: f } = r
  const id = verifyCommand(r, unhex(c.in.chain_digest), publicOf(c))
  return {
    id: hex(id), endpoint: f.endpoint, method: f.method, params: x(f.params ?? []), nonce: String(f.nonce), salt: String(f.salt),
    issued_at: String(f.issuedAt), expires: String(f.expires), signature: x(r.sigs[0].bytes),
  }
}

function checkReceipt(c, b) {
  const r = verifyReceipt(b, { chain: unhex(c.in.chain_digest), device: publicOf(c), command: unhex(c.in.command), envelope: c.in.envelope && unhex(c.in.envelope) })
  return { status: String(STATUS[r.status]), code: String(CODES[r.code]), result: x(r.result), counter: String(r.counter), hash: x(r.hash) }
}

function checkStatement(c, b) {
  const v = new StreamVerifier({ chain: unhex(c.in.chain_digest), device: publicOf(c), epoch: Number(c.in.epoch), stream: c.in.stream })
  for (const before of c.in.before.split(' ').filter(Boolean)) assert.ok(v.accept(unhex(before)).taken)
  const r = v.accept(b, c.in.payload && unhex(c.in.payload))
  if (!r.taken) return { refused: r.flags.join(' ') }
  const { seq, hash: h, payload } = r.statement
  return { flags: r.flags.join(' '), missing: String(r.missing), seq: String(seq), hash: x(h), payload: x(payload) }
}

function checkGenesis(c) {
  const encoded = unhex(c.want.encoded)
  const document = decode(encoded, 1 << 16)
  assert.equal(document.get(1), JSON.parse(c.in.json).chain_id)
  const h = hash(LABELS.genesis, encoded)
  return { encoded: x(encode(document)), hash: x(h), chain_digest: x(chainDigest(document.get(1), h)) }
}

function validatorsOnly(c, known) {
  assert.match(c.name, known)
  return c.want
}

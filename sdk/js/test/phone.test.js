/** wallet/phone/testdata/phone.json, which the Go side makes, and what a page does with the messages. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import {
  Box, HosError, PURPOSE, SLOTS, accountId, checkKeyChange, compareCode, decodeKey, decodeMessage, decodeTx, encodeMessage, encodeTxBody, keyId, keyText,
  p256Signer, parseFragment, passkeyPublic, secp256k1Signer, txDigest, verify, TX_KINDS,
} from '../src/index.js'
import { unhex, x } from './vectors.js'

const file = JSON.parse(readFileSync(new URL('../../../wallet/phone/testdata/phone.json', import.meta.url), 'utf8'))
const kind = (k) => (e) => e instanceof HosError && (assert.equal(e.kind, k), true)

test('the file has boxes, origins and refusals', () => {
  for (const part of ['boxes', 'origins', 'refused']) assert.ok(file[part].length > 0, part)
  assert.deepEqual(file.boxes.map((b) => b.messages.map((m) => m.slot)).sort((a, b) => b.length - a.length)[0], SLOTS)
})

for (const v of file.boxes) {
  test(`box: ${v.name}`, async (t) => {
    const secret = parseFragment(new URL(v.link).hash)
    assert.equal(x(secret), v.secret)
    const box = Box.fromSecret(secret)
    const public_ = decodeKey(unhex(v.public))
    assert.equal(box.id, v.box)
    assert.equal(compareCode(secret, public_), v.compare)
    assert.equal(keyText(keyId(public_)), v.key_id)
    const got = {}
    for (const m of v.messages) {
      await t.test(m.slot, async () => {
        const message = await box.open(m.slot, unhex(m.sealed))
        assert.equal(m.sealed.slice(0, 24), m.nonce)
        assert.equal(x(encodeMessage(m.slot, message)), m.plain)
        assert.deepEqual(await box.open(m.slot, await box.seal(m.slot, message)), message)
        got[m.slot] = message
        for (const other of SLOTS) if (other !== m.slot) await assert.rejects(box.open(other, unhex(m.sealed)), kind('not_sealed'))
        const bad = unhex(m.sealed)
        bad[bad.length - 1] ^= 1
        await assert.rejects(box.open(m.slot, bad), kind('not_sealed'))
      })
    }
    const { offer } = got
    assert.deepEqual([offer.rpId, offer.origin, x(offer.chain), x(offer.account)], [v.rp_id, v.origin, v.chain, x(accountId(offer.root))])
    assert.deepEqual(got.key.public, public_)
    if (offer.purpose === PURPOSE.own) {
      const { digest } = checkKeyChange(got.tx.body, { chain: offer.chain, account: offer.account, public: public_ })
      assert.equal(x(digest), v.digest)
      verify(public_, digest, got.proof.signature)
    } else {
      assert.equal(decodeTx(got.done.grants[0]).body.kind, TX_KINDS['create-grant'])
    }
  })
}

for (const c of file.refused) {
  test(`refused: ${c.name}`, () => assert.throws(() => decodeMessage(c.slot, unhex(c.plain)), kind(c.kind)))
}

for (const c of file.origins) {
  test(`origin: ${JSON.stringify(c.text).slice(0, 60)}`, () => {
    const point = p256Signer(new Uint8Array(32).fill(7)).public.bytes
    const rpId = c.rp_id || 'home.example'
    if (c.origin) passkeyPublic({ point, rpId, origins: [c.origin] })
    if (c.text !== c.origin) assert.throws(() => passkeyPublic({ point, rpId, origins: [c.text] }), kind('bad_key'))
  })
}

test('sealed messages: too short, too long, another secret, a nonce each', async () => {
  const [a, b] = [Box.fromSecret(new Uint8Array(16).fill(1)), Box.fromSecret(new Uint8Array(16).fill(2))]
  const message = { signature: Uint8Array.of(1) }
  const sealed = await a.seal('proof', message)
  assert.notDeepEqual(await a.seal('proof', message), sealed)
  await assert.rejects(b.open('proof', sealed), kind('not_sealed'))
  await assert.rejects(a.open('proof', sealed.subarray(0, 27)), kind('not_sealed'))
  await assert.rejects(a.open('proof', new Uint8Array(16385)), kind('not_sealed'))
  await assert.rejects(a.seal('proof', { signature: new Uint8Array(1025) }), kind('bad_message'))
})

test('links: what is no secret', () => {
  for (const bad of ['', '#', '#phone=', '#phone=AAAA', '#other=AAAAAAAAAAAAAAAAAAAAAA', '#phone=AAAAAAAAAAAAAAAAAAAAAB', '#phone=AAAAAAAAAAAAAAAAAAAAAA==', '#phone=AAAAAAAAAAAAAAAAAAAAAA&x']) {
    assert.throws(() => parseFragment(bad), kind('bad_link'), bad)
  }
  assert.throws(() => Box.fromSecret(new Uint8Array(15)), kind('bad_link'))
})

test('a change of keys that a phone does not sign', () => {
  const root = secp256k1Signer(new Uint8Array(32).fill(3)).public
  const own = p256Signer(new Uint8Array(32).fill(4)).public
  const other = p256Signer(new Uint8Array(32).fill(5)).public
  const chain = new Uint8Array(32).fill(9)
  const account = accountId(root)
  const body = (keys, of = account) => encodeTxBody({
    kind: TX_KINDS['rotate-keys'], account: of, sequence: 1, expires: 1000,
    payload: { version: 1, threshold: 1, keys: [{ key: root, rights: 3 }, ...keys] },
  })
  const expected = { chain, account, public: own }
  const good = body([{ key: own, rights: 2 }])
  assert.deepEqual(checkKeyChange(good, expected).digest, txDigest(chain, good))
  assert.throws(() => checkKeyChange(body([{ key: other, rights: 2 }]), expected), kind('bad_message'))
  assert.throws(() => checkKeyChange(body([{ key: own, rights: 2 }], new Uint8Array(20).fill(1)), expected), kind('bad_message'))
  assert.throws(() => checkKeyChange(body([]), { ...expected, public: root }), kind('bad_message')) // rights 3
  assert.throws(() => checkKeyChange(good.subarray(1), expected), kind('bad_message'))
  const revoke = encodeTxBody({ kind: TX_KINDS['revoke-grant'], account, sequence: 1, expires: 1000, payload: { grant: chain } })
  assert.throws(() => checkKeyChange(revoke, expected), kind('bad_message'))
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IDBFactory } from 'fake-indexeddb'
import { CODES, STATUS } from '../src/code.js'
import { chainDigest, digest, encode, LABELS } from '../src/codec.js'
import { decodeCommand, verifyCommand } from '../src/command.js'
import { Session } from '../src/elements/session.js'
import { HosError } from '../src/error.js'
import { accountId, deviceId, deviceText, hex, keyId, keyText } from '../src/id.js'
import { accountKey, deviceKey, ownerChangeKey, rootPin } from '../src/ownership.js'
import { p256Signer, secp256k1Signer } from '../src/signer.js'
import { Store } from '../src/store.js'
import { encodeTx, encodeTxBody, TX_KINDS } from '../src/tx.js'

const seed = (n) => new Uint8Array(32).fill(n)
const genesis = new Uint8Array(32).fill(9)
const chain = chainDigest('hos-test', genesis)
const [owner, device, stranger, phone] = [secp256k1Signer(seed(1)), secp256k1Signer(seed(2)), secp256k1Signer(seed(3)), p256Signer(seed(4))]
const id = deviceText(deviceId(device.public))

/** A receipt as a device makes it. */
async function receipt(command, { by = device, status = 'executed', code = 'ok', forCommand } = {}) {
  const cmd = forCommand ?? digest(LABELS.command, chain, decodeCommand(command).body)
  const body = encode(new Map([
    [1, 1], [2, cmd], [3, deviceId(device.public)], [4, 1], [5, 7], [6, STATUS[status]], [7, CODES[code]],
    [9, 40], [10, new Uint8Array(32)], [11, 1_700_000_000_000], [12, new Uint8Array()],
  ].map(([k, v]) => [k, v])))
  return encode(new Map([[1, body], [2, await by.sign(digest(LABELS.receipt, chain, body))]]))
}

/** A node that does as it is told, and a phone. */
async function setUp({ purpose = 1, grants = [], devices } = {}) {
  const store = await Store.open({ indexedDB: new IDBFactory() })
  const client = {
    sent: [],
    answer: async (c) => receipt(c),
    send(c) {
      this.sent.push(c)
      return this.answer(c)
    },
    status: async () => ({ chain_id: 'hos-test', genesis_hash: hex(genesis) }),
    account: async () => ({ record: { keys: [{ id: keyText(keyId(phone.public)) }] } }),
    devices: async () => ({ devices: devices ?? [{ id, model: 'lock-1', epoch: 1, online: true }] }),
    grants: async () => ({ grants: [{ status: 'active' }] }),
    record: async () => null,
    events: () => () => {},
  }
  const clock = { now: 1_700_000_000_000 }
  const session = new Session({ client, store, signer: () => phone, now: () => clock.now })
  await session.use({
    version: 1, chain, chainId: 'hos-test', account: accountId(owner.public), purpose, label: '', rpId: 'localhost', origin: 'http://localhost',
    root: owner.public, keys: rootPin(owner.public).keys, credentialId: new Uint8Array(1), public: phone.public,
    devices: [{ id, public: device.public, name: 'Door', model: 'lock-1', epoch: 1, endpoint: 'lock', methods: ['open'] }], grants, added: 0,
  })
  return { session, client, store, clock }
}

test('executed needs the receipt of the pinned device for this very command', async () => {
  const { session, client, store } = await setUp()
  const steps = []
  const o = await session.act(id, 'open', (s) => steps.push(s))
  assert.deepEqual([o.state, o.code, o.receipt?.counter, steps], ['executed', 'ok', 7, ['sent']])
  const c = decodeCommand(client.sent[0])
  assert.equal(hex(verifyCommand(c, chain, phone.public)), o.command)
  assert.deepEqual([c.fields.method, c.fields.nonce, c.fields.expires - c.fields.issuedAt], ['open', 1, 60_000])
  assert.equal(await store.pending(id), null)
  assert.equal((await store.history())[0].command, o.command)
})

test('nothing else is ever executed', async (t) => {
  const old = await receipt(new Uint8Array(), { forCommand: seed(8) })
  const lies = {
    words: async () => new TextEncoder().encode('{"status":"opened"}'),
    nothing: async () => new Uint8Array(),
    "a stranger's": (c) => receipt(c, { by: stranger }),
    'an old one': async () => old,
    'cut off': async (c) => (await receipt(c)).slice(0, -1),
    'a bit flipped': async (c) => {
      const r = await receipt(c)
      r[r.length - 1] ^= 1
      return r
    },
  }
  for (const [name, answer] of Object.entries(lies)) {
    await t.test(name, async () => {
      const { session, client, store } = await setUp()
      client.answer = answer
      const o = await session.act(id, 'open')
      assert.deepEqual([o.state, o.receipt], ['forged', null])
      assert.equal((await store.history())[0].state, 'forged')
      assert.ok(await store.pending(id), 'what became of it can still be asked')
    })
  }
})

test('refusals and failures have their states', async (t) => {
  const rejected = (code, status = 'rejected') => (c) => receipt(c, { status, code })
  const fails = (kind) => async () => { throw new HosError(kind, 'so') }
  const cases = [
    ['unknown_key', rejected('unknown_key'), 'refused', false],
    ['grant_revoked', rejected('grant_revoked'), 'refused', false],
    ['stale', rejected('stale', 'deferred'), 'refused', false],
    ['expired', rejected('expired'), 'expired', false],
    ['not_yet', rejected('not_yet', 'deferred'), 'expired', false],
    ['interrupted', rejected('interrupted', 'unknown'), 'unknown', false],
    ['device_offline', fails('device_offline'), 'offline', false],
    ['no_receipt', fails('no_receipt'), 'unknown', true],
    ['unreachable', fails('unreachable'), 'unknown', true],
    ['bad_answer', fails('bad_answer'), 'unknown', true],
    ['busy', fails('busy'), 'refused', false],
  ]
  for (const [code, answer, state, kept] of cases) {
    await t.test(code, async () => {
      const { session, client, store } = await setUp()
      client.answer = answer
      const o = await session.act(id, 'open')
      assert.deepEqual([o.state, o.code, !!await store.pending(id)], [state, code, kept])
    })
  }
})

test('without an answer the same bytes are sent again, and only they', async () => {
  const { session, client, store } = await setUp()
  client.answer = async () => { throw new HosError('no_receipt', 'gone') }
  await session.act(id, 'open')
  client.answer = async () => { throw new HosError('device_offline', 'gone') }
  assert.equal((await session.again(id)).state, 'unknown', 'that it is offline now says nothing about before')
  client.answer = (c) => receipt(c, { status: 'rejected', code: 'expired' })
  assert.equal((await session.again(id)).state, 'unknown', 'forgotten by the device: it may have been done')
  assert.equal(await store.pending(id), null)
  assert.deepEqual(client.sent[1], client.sent[0])
  assert.deepEqual(client.sent[2], client.sent[0])
})

test('a lost lane is left', async () => {
  const { session, client } = await setUp()
  client.answer = (c) => receipt(c, { status: 'rejected', code: 'jump_too_far' })
  await session.act(id, 'open')
  client.answer = (c) => receipt(c)
  await session.act(id, 'open')
  const [a, b] = client.sent.map((c) => decodeCommand(c).fields)
  assert.notEqual(a.salt, b.salt)
  assert.equal(b.nonce, 1)
})

test('a signature that took too long is not sent; a person who says no sends nothing', async () => {
  const { session, client, clock } = await setUp()
  session.signer = () => ({
    public: phone.public,
    sign(d) {
      clock.now += 61_000
      return phone.sign(d)
    },
  })
  assert.equal((await session.act(id, 'open')).code, 'too_slow')
  session.signer = () => ({ public: phone.public, sign: async () => { throw new HosError('cancelled', 'no') } })
  const o = await session.act(id, 'open')
  assert.deepEqual([o.state, o.code, client.sent.length], ['idle', 'cancelled', 0])
})

test('a device that only the node names is shown and not asked', async () => {
  const other = deviceText(deviceId(stranger.public))
  const { session, client } = await setUp({ devices: [{ id: other, model: 'x', epoch: 1, online: true }] })
  await session.refresh()
  assert.deepEqual(session.rows.map((r) => [r.id, !!r.device, r.note !== '']), [[id, true, true], [other, false, true]])
  const o = await session.act(other, 'open')
  assert.deepEqual([o.state, o.code, client.sent.length], ['refused', 'not_pinned', 0])
})

test('a key that the node does not list is told, and may still ask', async () => {
  const { session, client } = await setUp()
  client.account = async () => ({ record: { keys: [] } })
  await session.refresh()
  assert.equal(session.notice, 'key_gone')
  assert.equal((await session.act(id, 'open')).state, 'executed')
  client.status = async () => ({ chain_id: 'other', genesis_hash: hex(genesis) })
  await session.refresh()
  assert.equal(session.notice, 'other_ledger')
  client.status = async () => { throw new HosError('unreachable', 'down') }
  await session.refresh()
  assert.deepEqual([session.connected, session.rows[0].online], [false, null])
})

test('a guest uses the grant that covers the method, and no other', async () => {
  const raw = encodeTxBody({
    kind: TX_KINDS['create-grant'], account: accountId(owner.public), sequence: 1, expires: 1_700_000_100,
    payload: {
      grantee: phone.public, targets: [{ device: deviceId(device.public), epoch: 1, endpoint: 'lock', methods: ['open'] }],
      notBefore: 0, notAfter: 1_800_000_000,
    },
  })
  const id32 = digest(LABELS.tx, chain, raw)
  const grant = encodeTx(raw, [{ role: 1, key: keyId(owner.public), bytes: await owner.sign(id32) }])
  const { session, client } = await setUp({ purpose: 2, grants: [grant] })
  assert.equal((await session.act(id, 'open')).state, 'executed')
  const { fields } = decodeCommand(client.sent[0])
  assert.deepEqual([hex(fields.grant), hex(fields.principal)], [hex(id32), hex(accountId(phone.public))])
  const o = await session.act(id, 'lock')
  assert.deepEqual([o.state, o.code, client.sent.length], ['refused', 'not_granted', 1])
  client.grants = async (/** @type {any} */ _, { active = false } = {}) => ({ grants: active ? [] : [{ status: 'revoked' }] })
  await session.refresh()
  assert.equal(session.notice, 'grant_gone')
})

/** A record source in which the owner's claim of a device stands. */
async function claimed(dev, signer = owner) {
  const key = (p) => new Map([[1, p.alg], [2, p.bytes]])
  const [of, to] = [deviceId(dev.public), accountId(owner.public)]
  const raw = encodeTxBody({ kind: TX_KINDS.claim, account: to, sequence: 1, expires: 1_700_000_100, payload: { device: of, epoch: 2 } })
  const sigs = await Promise.all([[1, signer], [3, dev]].map(async ([role, s]) => ({
    role, key: keyId(s.public), bytes: await s.sign(digest(LABELS.tx, chain, raw)),
  })))
  const records = new Map([
    [hex(accountKey(to)), encode(new Map([[1, key(owner.public)], [2, new Map([[1, 0], [2, 1], [3, [new Map([[1, key(owner.public)], [2, 3]])]]])], [3, 1]]))],
    [hex(deviceKey(of)), encode(new Map([[1, key(dev.public)], [2, seed(1)], [3, new Uint8Array(20)], [4, 'lock-1'], [5, 2], [6, to]]))],
    [hex(ownerChangeKey(of, 2)), encodeTx(raw, sigs)],
  ])
  return async (k) => records.get(hex(k)) ?? null
}

test('a device that the owner signed for is added, and a new epoch is taken over', async () => {
  const other = deviceText(deviceId(stranger.public))
  const row = (of) => ({ id: of, model: 'lock-1', epoch: 2, online: true })
  const { session, client, store } = await setUp({ devices: [row(other)] })
  client.record = await claimed(stranger, stranger)
  await session.refresh()
  assert.equal(session.rows.find((r) => r.id === other).device, null, 'signed by somebody else')
  client.record = await claimed(stranger)
  await session.refresh()
  assert.deepEqual((await store.profile()).devices.map((d) => [d.id, d.epoch]), [[id, 1], [other, 2]])
  client.devices = async () => ({ devices: [row(id), row(other)] })
  client.record = await claimed(device)
  await session.refresh()
  assert.equal(session.rows.find((r) => r.id === id).device.epoch, 2)
})

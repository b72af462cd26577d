/** Histories that a lying node could show, and what is believed of them. */
import assert from 'node:assert/strict'
import test from 'node:test'
import {
  HosError, RIGHTS, ROLES, TX_KINDS, accountId, accountKey, deviceId, deviceKey, encode, encodeTx, encodeTxBody, followKeys, followOwner, grantKey, keyChangeKey,
  keyId, ownerChangeKey, p256Signer, rootPin, secp256k1Signer, txDigest, verifyClaim, verifyGrant, verifyOwnership,
} from '../src/index.js'
import { x } from './vectors.js'

const chain = new Uint8Array(32).fill(1)
const [owner, next, buyer, thief, lock, other] = [1, 2, 3, 4, 5, 6].map((n) => secp256k1Signer(new Uint8Array(32).fill(n)))
const phone = p256Signer(new Uint8Array(32).fill(7))
const id = deviceId(lock.public)
const account = (s) => accountId(s.public)
const key = (p) => new Map([[1, p.alg], [2, p.bytes]])
const full = RIGHTS.admin | RIGHTS.invoke

/** The bytes of a transaction, signed by pairs of role and signer. */
async function tx(kind, of, payload, ...signers) {
  const raw = encodeTxBody({ kind: TX_KINDS[kind], account: account(of), sequence: 1, expires: 1000, payload })
  const digest = txDigest(chain, raw)
  const sigs = await Promise.all(signers.map(async ([role, s]) => ({ role, key: keyId(s.public), bytes: await s.sign(digest) })))
  return { bytes: encodeTx(raw, sigs), id: digest }
}

/** A view of the ledger that says what it is told to say. */
function ledger() {
  const records = new Map()
  const put = (k, v) => void records.set(x(k), v)
  return {
    get: async (k) => records.get(x(k)) ?? null,
    put,
    drop: (k) => records.delete(x(k)),
    account: (root, version, threshold, keys) => put(accountKey(account(root)), encode(new Map([
      [1, key(root.public)], [2, new Map([[1, version], [2, threshold], [3, keys.map(([s, r]) => new Map([[1, key(s.public)], [2, r]]))]])], [3, 1],
    ]))),
    device: (of, epoch, by = lock) => put(deviceKey(id), encode(new Map([
      [1, key(by.public)], [2, new Uint8Array(32).fill(1)], [3, new Uint8Array(20)], [4, 'model'], [5, epoch], ...(of ? [[6, account(of)]] : []),
    ]))),
  }
}

const kind = (k) => (e) => e instanceof HosError && (assert.equal(e.kind, k, e.detail), true)
const claim = (by, extra = {}, signers = [[ROLES.account, by], [ROLES.device, lock]]) => tx('claim', owner, { device: id, epoch: 1, ...extra }, ...signers)
const rotate = (version, keys, ...signers) => tx('rotate-keys', owner, {
  version, threshold: 1, keys: keys.map(([s, rights]) => ({ key: s.public, rights })),
}, ...signers)
const of = { device: id, root: owner.public }

/** The owner claims the lock, then changes the key and adds a phone. */
async function world() {
  const l = ledger()
  const claimed = await claim(owner)
  l.put(ownerChangeKey(id, 1), claimed.bytes)
  l.device(owner, 1)
  const change = await rotate(1, [[next, full], [phone, RIGHTS.invoke]], [ROLES.account, owner], [ROLES.newKey, next], [ROLES.newKey, phone])
  l.put(keyChangeKey(account(owner), 1), change.bytes)
  l.account(owner, 1, 1, [[next, full], [phone, RIGHTS.invoke]])
  return { l, claimed }
}

test('a claim by the first key, then another key and a phone', async () => {
  const { l, claimed } = await world()
  const seen = await verifyOwnership(l.get, chain, of)
  assert.deepEqual([seen.epoch, seen.public, seen.model, seen.owner.keys.version], [1, lock.public, 'model', 1])
  assert.deepEqual(seen.owner.keys.keys.map((k) => k.rights), [full, RIGHTS.invoke])
  const own = verifyClaim(chain, lock.public, rootPin(owner.public), claimed.bytes)
  assert.deepEqual((await followOwner(l.get, chain, own)).owner, seen.owner)
})

test('a claim by a later key is found along the changes', async () => {
  const { l } = await world()
  l.put(ownerChangeKey(id, 1), (await claim(next)).bytes)
  assert.equal((await verifyOwnership(l.get, chain, of)).epoch, 1)
})

test('claims that nobody of the account or not the device signed', async () => {
  const { l } = await world()
  for (const signers of [
    [[ROLES.account, thief], [ROLES.device, lock]], [[ROLES.account, owner], [ROLES.device, other]], [[ROLES.account, owner]],
    [[ROLES.device, lock]], [[ROLES.account, phone], [ROLES.device, lock]], [[ROLES.account, owner], [ROLES.device, lock], [ROLES.newOwner, owner]],
  ]) {
    const bad = await claim(owner, {}, signers)
    l.put(ownerChangeKey(id, 1), bad.bytes)
    await assert.rejects(verifyOwnership(l.get, chain, of), kind('forged'))
    assert.throws(() => verifyClaim(chain, lock.public, rootPin(owner.public), bad.bytes), HosError)
  }
  for (const bad of [await claim(owner, { epoch: 2 }), await claim(owner, { device: deviceId(other.public) }), await tx('claim', thief, { device: id, epoch: 1 }, [ROLES.account, thief], [ROLES.device, lock])]) {
    l.put(ownerChangeKey(id, 1), bad.bytes)
    await assert.rejects(verifyOwnership(l.get, chain, of), kind('forged'))
  }
  l.put(ownerChangeKey(id, 1), Uint8Array.of(1))
  await assert.rejects(verifyOwnership(l.get, chain, of), kind('forged'))
  l.drop(ownerChangeKey(id, 1))
  await assert.rejects(verifyOwnership(l.get, chain, of), kind('no_change'))
})

test('a claim for another ledger', async () => {
  const { l } = await world()
  await assert.rejects(verifyOwnership(l.get, new Uint8Array(32), of), kind('forged'))
})

test('records of a device that are not its own', async () => {
  const { l } = await world()
  l.device(owner, 1, other)
  await assert.rejects(verifyOwnership(l.get, chain, of), kind('forged'))
  l.device(thief, 1)
  await assert.rejects(verifyOwnership(l.get, chain, of), kind('not_owner'))
  l.device(null, 0)
  await assert.rejects(verifyOwnership(l.get, chain, of), kind('not_owner'))
  l.drop(deviceKey(id))
  await assert.rejects(verifyOwnership(l.get, chain, of), kind('no_device'))
})

test('keys: changes that are not signed, out of order, or not what the record shows', async () => {
  const { l } = await world()
  const pin = rootPin(owner.public)
  const k = keyChangeKey(account(owner), 1)
  const keys = [[next, full], [phone, RIGHTS.invoke]]
  for (const bad of [
    await rotate(1, keys, [ROLES.account, thief], [ROLES.newKey, next], [ROLES.newKey, phone]),
    await rotate(1, keys, [ROLES.account, owner], [ROLES.newKey, next]), // the phone has not shown that it holds its key
    await rotate(1, keys, [ROLES.account, owner], [ROLES.newKey, next], [ROLES.newKey, phone], [ROLES.newKey, thief]),
    await rotate(2, keys, [ROLES.account, owner], [ROLES.newKey, next], [ROLES.newKey, phone]),
    await rotate(1, [[next, full]], [ROLES.account, owner], [ROLES.newKey, next]),
    await claim(owner),
  ]) {
    l.put(k, bad.bytes)
    await assert.rejects(followKeys(l.get, chain, pin), kind('forged'))
  }
  l.drop(k)
  await assert.rejects(followKeys(l.get, chain, pin), kind('no_change'))
  l.account(owner, 2000, 1, keys)
  await assert.rejects(followKeys(l.get, chain, pin), kind('forged')) // too many to follow
  l.account(owner, 0, 1, [[thief, full]])
  await assert.rejects(followKeys(l.get, chain, pin), kind('forged'))
  l.drop(accountKey(account(owner)))
  await assert.rejects(followKeys(l.get, chain, pin), kind('no_account'))
})

test('a transfer: both sign, and the phone of the first owner has nothing left', async () => {
  const { l, claimed } = await world()
  const own = verifyClaim(chain, lock.public, rootPin(owner.public), claimed.bytes)
  const transfer = (...signers) => tx('transfer', owner, { device: id, epoch: 2, to: account(buyer) }, ...signers)
  l.account(buyer, 0, 1, [[buyer, full]])
  l.device(buyer, 2)
  for (const signers of [
    [[ROLES.account, next]], [[ROLES.account, thief], [ROLES.newOwner, buyer]], [[ROLES.account, next], [ROLES.newOwner, thief]],
    [[ROLES.account, phone], [ROLES.newOwner, buyer]], [[ROLES.account, next], [ROLES.newOwner, buyer], [ROLES.device, lock]],
  ]) {
    l.put(ownerChangeKey(id, 2), (await transfer(...signers)).bytes)
    await assert.rejects(followOwner(l.get, chain, own), kind('forged'))
  }
  const ofThief = await tx('transfer', thief, { device: id, epoch: 2, to: account(buyer) }, [ROLES.account, next], [ROLES.newOwner, buyer])
  const toThief = await tx('transfer', owner, { device: id, epoch: 2, to: account(thief) }, [ROLES.account, next], [ROLES.newOwner, buyer])
  l.put(ownerChangeKey(id, 2), ofThief.bytes)
  await assert.rejects(followOwner(l.get, chain, own), kind('forged'))
  l.put(ownerChangeKey(id, 2), toThief.bytes)
  await assert.rejects(verifyOwnership(l.get, chain, { device: id, root: buyer.public }), kind('forged'))
  l.put(ownerChangeKey(id, 2), (await transfer([ROLES.account, next], [ROLES.newOwner, buyer])).bytes)
  const now = await followOwner(l.get, chain, own)
  assert.deepEqual([now.epoch, now.owner.account], [2, account(buyer)])
  assert.equal((await verifyOwnership(l.get, chain, { device: id, root: buyer.public })).epoch, 2)
  await assert.rejects(verifyOwnership(l.get, chain, of), kind('not_owner'))
  l.device(owner, 1) // the node shows the past
  await assert.rejects(followOwner(l.get, chain, now), kind('forged'))
})

test('a grant dies with the key that signed it', async () => {
  const { l } = await world()
  const payload = { grantee: phone.public, targets: [{ device: id, epoch: 1, endpoint: 'lock', methods: ['open'] }], notBefore: 0, notAfter: 2000 }
  const record = (g, issuer = owner, status = 1) => encode(new Map([[1, account(issuer)], [2, status], [3, g.bytes]]))
  const pin = await followKeys(l.get, chain, rootPin(owner.public))
  const good = await tx('create-grant', owner, payload, [ROLES.account, next])
  l.put(grantKey(good.id), record(good))
  assert.deepEqual(verifyGrant(chain, pin, good.id, await l.get(grantKey(good.id))), payload)
  const old = await tx('create-grant', owner, payload, [ROLES.account, owner])
  assert.throws(() => verifyGrant(chain, pin, old.id, record(old)), kind('forged'))
  const byPhone = await tx('create-grant', owner, payload, [ROLES.account, phone])
  assert.throws(() => verifyGrant(chain, pin, byPhone.id, record(byPhone)), kind('forged'))
  const asAdmin = { ...pin, keys: { ...pin.keys, keys: [{ key: phone.public, rights: full }] } } // should a pin ever say so
  assert.throws(() => verifyGrant(chain, asAdmin, byPhone.id, record(byPhone)), kind('forged'))
  assert.throws(() => verifyGrant(chain, pin, good.id, record(good, owner, 2)), kind('grant_revoked'))
  assert.throws(() => verifyGrant(chain, pin, good.id, record(good, thief)), kind('not_issuer'))
  const other_ = await tx('create-grant', thief, payload, [ROLES.account, thief])
  assert.throws(() => verifyGrant(chain, pin, other_.id, record(other_)), kind('not_issuer'))
  assert.throws(() => verifyGrant(chain, pin, other_.id, record(good)), kind('forged'))
})

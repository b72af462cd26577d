import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IDBFactory } from 'fake-indexeddb'
import { Store } from '../src/store.js'

const profile = { version: 1, chain: new Uint8Array(32), devices: [{ id: 'a', epoch: 1 }], label: 'Ada' }

test('a store gives back what it was given, also after it was closed', async () => {
  const indexedDB = new IDBFactory()
  const s = await Store.open({ indexedDB })
  assert.equal(await s.profile(), null)
  await s.saveProfile(/** @type {any} */ (profile))
  await s.saveSetup({ stage: 'key', keyId: 'k', at: 1, profile: null })
  s.close()
  const again = await Store.open({ indexedDB })
  assert.deepEqual(await again.profile(), profile)
  assert.equal((await again.setup())?.stage, 'key')
  await again.saveSetup(null)
  assert.equal(await again.setup(), null)
})

test('no number of a lane is given out twice, whoever asks and whenever', async () => {
  const indexedDB = new IDBFactory()
  const [a, b] = await Promise.all([Store.open({ indexedDB }), Store.open({ indexedDB })])
  const got = await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 ? a : b).nextNonce()))
  assert.equal(new Set(got.map((l) => l.salt)).size, 1)
  assert.deepEqual(got.map((l) => l.nonce).sort((x, y) => x - y), Array.from({ length: 40 }, (_, i) => i + 1))
  a.close()
  b.close()
  const c = await Store.open({ indexedDB })
  assert.equal((await c.nextNonce()).nonce, 41)
  const old = got[0].salt
  await c.newLane()
  const fresh = await c.nextNonce()
  assert.equal(fresh.nonce, 1)
  assert.notEqual(fresh.salt, old)
  assert.ok(Number.isSafeInteger(fresh.salt))
})

test('the last 20 receipts are kept, newest first', async () => {
  const s = await Store.open({ indexedDB: new IDBFactory() })
  for (let i = 1; i <= 25; i++) await s.addHistory(/** @type {any} */ ({ counter: i }))
  const all = await s.history()
  assert.deepEqual(all.map((e) => e.counter), Array.from({ length: 20 }, (_, i) => 25 - i))
})

test('forgetting leaves nothing, and another key starts anew', async () => {
  const s = await Store.open({ indexedDB: new IDBFactory() })
  const fill = async () => {
    await s.saveProfile(/** @type {any} */ (profile))
    await s.nextNonce()
    await s.savePending(/** @type {any} */ ({ device: 'a' }))
    await s.addHistory(/** @type {any} */ ({ counter: 1 }))
  }
  await fill()
  await s.forget()
  assert.deepEqual([await s.profile(), await s.pending('a'), await s.history()], [null, null, []])
  await fill()
  await s.replace(/** @type {any} */ ({ ...profile, label: 'Bob' }))
  assert.equal((await s.profile())?.label, 'Bob')
  assert.deepEqual([await s.pending('a'), await s.history(), (await s.nextNonce()).nonce], [null, [], 1])
})

test('a browser that keeps nothing is a refusal, not a crash', async () => {
  await assert.rejects(Store.open({ indexedDB: /** @type {any} */ (null) }), { kind: 'unavailable' })
})

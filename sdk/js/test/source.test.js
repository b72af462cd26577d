/** Rules of the source itself. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:http'
import test from 'node:test'
import * as hybridos from '../src/index.js'
import {
  CODES, HosError, KINDS, LABELS, decodeCommand, deviceId, digest, encode, p256Signer, secp256k1Signer, signCommand, verifyCommand, verifyReceipt,
} from '../src/index.js'

const root = new URL('../', import.meta.url)
const core = readdirSync(new URL('src/', root)).filter((f) => f.endsWith('.js') && f !== 'store.js')
const source = (f) => readFileSync(new URL(`src/${f}`, root), 'utf8')

test('each refusal has a kind from the list, and each kind is used', () => {
  const all = core.map(source).join('\n')
  const thrown = [...all.matchAll(/(?:HosError|refuse|as)\(\s*'([a-z_]+)'/g)].map((m) => m[1])
  assert.ok(thrown.length > 50)
  for (const k of thrown) assert.ok(KINDS.includes(k), k)
  for (const k of KINDS) assert.ok(all.split(`'${k}'`).length > 2, `${k} is listed and not used`)
  assert.equal(new Set(KINDS).size, KINDS.length)
  for (const f of core) assert.doesNotMatch(source(f), /throw new (?!HosError)[A-Z]/, f)
})

test('no default exports, and each export has a comment', () => {
  for (const f of core) {
    assert.doesNotMatch(source(f), /export default/, f)
    if (f === 'index.js') continue
    for (const m of source(f).matchAll(/(.*)\nexport (?:async )?(?:const|function|class) (\w+)/g)) assert.match(m[1], /\*\/$/, `${f}: ${m[2]} has no comment`)
  }
})

test('files stay small, as everywhere in the tree', () => {
  for (const f of core) assert.ok(source(f).split('\n').length <= 450, f)
})

const readme = readFileSync(new URL('README.md', root), 'utf8')

test('README: the exports are those of the package', () => {
  const listed = [...readme.matchAll(/^\| `(\w+)/gm)].map((m) => m[1])
  assert.deepEqual([...new Set(listed)].sort(), Object.keys(hybridos).sort())
})

test('README: its example opens a door that answers, and believes no other answer', async (t) => {
  const code = /```js\n(.*?)```/s.exec(readme)[1].replace("'hybridos'", JSON.stringify(new URL('src/index.js', root).href))
  const { openDoor } = await import(`data:text/javascript,${encodeURIComponent(code)}`)
  const lock = secp256k1Signer(new Uint8Array(32).fill(1))
  const signer = p256Signer(new Uint8Array(32).fill(2))
  const chain = new Uint8Array(32).fill(3)
  let by = lock
  const server = createServer(async (req, res) => {
    const command = decodeCommand(new Uint8Array(Buffer.concat(await req.toArray())))
    const id = verifyCommand(command, chain, signer.public)
    res.writeHead(200, { 'Content-Type': 'application/cbor' }).end(await receipt(by, chain, id, command.fields))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => (server.closeAllConnections(), server.close()))
  let nonce = 0
  const open = () => openDoor({
    url: `http://127.0.0.1:${server.address().port}`, chain, account: new Uint8Array(20).fill(4), signer,
    lock: { id: deviceId(lock.public), public: lock.public, epoch: 1 }, lane: { salt: 5, next: async () => ++nonce },
  })
  const got = await open()
  assert.deepEqual([got.status, got.code, got.counter], ['executed', 'ok', 1])
  by = secp256k1Signer(new Uint8Array(32).fill(9))
  await assert.rejects(open(), (e) => e instanceof HosError && e.kind === 'bad_signature')
})

test('what is signed by a key that may not: a receipt; a command of another key', async () => {
  const [chain, id] = [new Uint8Array(32).fill(3), new Uint8Array(32).fill(4)]
  const device = p256Signer(new Uint8Array(32).fill(1))
  const bytes = await receipt(device, chain, id, { device: deviceId(device.public), epoch: 1 })
  assert.throws(() => verifyReceipt(bytes, { chain, device: device.public, command: id }), (e) => e.kind === 'unknown_alg')
  const c = await signCommand({
    chain, device: deviceId(device.public), epoch: 1, endpoint: 'lock', method: 'open', principal: new Uint8Array(20), salt: 1, nonce: 1, issuedAt: 1, expires: 2,
  }, device)
  const { body, sigs: [sig] } = decodeCommand(c.bytes)
  const envelope = (sigs) => decodeCommand(encode(new Map([[1, body], [2, sigs.map((s) => new Map([[1, s.key], [2, s.bytes]]))]])))
  const other = { key: new Uint8Array(20).fill(255), bytes: sig.bytes }
  assert.deepEqual(verifyCommand(envelope([sig, other]), chain, device.public), c.id)
  assert.throws(() => verifyCommand(envelope([other]), chain, device.public), (e) => e.kind === 'unknown_key')
})

/** A receipt as a device signs it. */
async function receipt(device, chain, command, { device: id, epoch }) {
  const none = new Uint8Array()
  const body = encode(new Map([[1, 1], [2, command], [3, id], [4, epoch], [5, 1], [6, 1], [7, 0], [9, 0], [10, none], [11, 1], [12, none]]))
  return encode(new Map([[1, body], [2, await device.sign(digest(LABELS.receipt, chain, body))]]))
}

test('package.json names files that are there, and exact versions', () => {
  const pkg = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  assert.ok(existsSync(new URL(pkg.exports['.'].default, root)))
  for (const v of Object.values({ ...pkg.dependencies, ...pkg.devDependencies })) assert.match(v, /^\d+\.\d+\.\d+$/)
  assert.doesNotMatch(readFileSync(new URL('package-lock.json', root), 'utf8'), /"resolved"/)
})

test('errors: kind and detail, and the cause', () => {
  const cause = new Error('x')
  const e = new HosError('high_s', 'why', { cause })
  assert.deepEqual([e.name, e.message, e.kind, e.detail, e.cause], ['HosError', 'high_s: why', 'high_s', 'why', cause])
  assert.equal(CODES.high_s, 41)
})

/** The client against a small server over loopback: real requests, real streams. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { once } from 'node:events'
import test from 'node:test'
import { Client, HosError, accountText, deviceText, keyText, parseAccount } from '../src/index.js'

const kind = (k) => (e) => e instanceof HosError && (assert.equal(e.kind, k), true)
const id = new Uint8Array(20).fill(7)

/** A server that answers with `answer` and keeps what it was asked. */
async function serve(t, answer) {
  const asked = []
  const server = createServer(async (req, res) => {
    const body = Buffer.concat(await req.toArray())
    asked.push({ method: req.method, url: req.url, type: req.headers['content-type'], body: body.toString('hex') })
    answer(req, res, body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => (server.closeAllConnections(), server.close()))
  return { url: `http://127.0.0.1:${server.address().port}`, asked, server }
}

const json = (status, v) => (_, res) => res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(v))

/** As much of an EventSource as a test needs: node 20 has none. It reads a real stream. */
class StreamEvents {
  #listeners = {}
  #abort = new AbortController()

  constructor(url) {
    this.#read(url).catch(() => this.#tell('error', ''))
  }

  addEventListener(type, f) {
    this.#listeners[type] = f
  }

  close() {
    this.#abort.abort()
  }

  #tell(type, data) {
    if (!this.#abort.signal.aborted) this.#listeners[type]?.({ data })
  }

  async #read(url) {
    const res = await fetch(url, { signal: this.#abort.signal })
    this.#tell('open', '')
    let rest = ''
    for await (const chunk of res.body.pipeThrough(new TextDecoderStream())) {
      const events = (rest + chunk).split('\n\n')
      rest = events.pop()
      for (const e of events) this.#tell(/^event: (.*)$/m.exec(e)?.[1], /^data: (.*)$/m.exec(e)?.[1])
    }
    this.#tell('error', '')
  }
}

test('reads: paths and answers', async (t) => {
  const { url, asked } = await serve(t, json(200, { version: 3, found: true, value: 'AQI=' }))
  const c = new Client({ url: url + '/' })
  assert.equal((await c.status()).version, 3)
  for (const f of [id, deviceText(id)]) await c.device(f)
  for (const f of [id, accountText(id)]) await c.account(f)
  await c.devices(id)
  await c.grants(id)
  await c.grants(id, { active: true })
  assert.deepEqual(await c.record(Uint8Array.of(0x61, 1)), Uint8Array.of(1, 2))
  const [dev, acc, key] = [deviceText(id), accountText(id), keyText(id)]
  assert.deepEqual(asked.map((a) => a.url), [
    '/v1/status', `/v1/devices/${dev}`, `/v1/devices/${dev}`, `/v1/accounts/${acc}`, `/v1/accounts/${acc}`, `/v1/accounts/${acc}/devices`,
    `/v1/keys/${key}/grants`, `/v1/keys/${key}/grants?status=active`, '/v1/records/6101',
  ])
  assert.throws(() => c.device(accountText(id)), kind('bad_text'))
  assert.throws(() => c.account('../status'), kind('bad_text'))
})

test('a record that is not there is null, one that is no base64 is refused', async (t) => {
  const none = await serve(t, json(200, { version: 3, found: false }))
  assert.equal(await new Client(none).record(id), null)
  const bad = await serve(t, json(200, { version: 3, found: true, value: '*' }))
  await assert.rejects(new Client(bad).record(id), kind('bad_answer'))
})

test('a command goes out as it is and its receipt comes back as it is', async (t) => {
  const { url, asked } = await serve(t, (_, res, body) => res.writeHead(200, { 'Content-Type': 'application/cbor' }).end(Buffer.from([...body].reverse())))
  assert.deepEqual(await new Client({ url }).send(Uint8Array.of(1, 2, 255)), Uint8Array.of(255, 2, 1))
  assert.deepEqual(asked, [{ method: 'POST', url: '/v1/commands', type: 'application/cbor', body: '0102ff' }])
})

test("a node's refusals keep their codes", async (t) => {
  for (const [status, code] of [[400, 'bad_command'], [503, 'device_offline'], [504, 'no_receipt'], [429, 'rate_limited'], [503, 'busy']]) {
    const { url } = await serve(t, json(status, { code, message: 'why' }))
    await assert.rejects(new Client({ url }).send(id), (e) => kind(code)(e) && e.detail === 'why')
  }
})

test('answers that are none', async (t) => {
  const send = async (answer) => new Client(await serve(t, answer)).send(id)
  await assert.rejects(send(json(200, { opened: true })), kind('bad_answer')) // not a receipt's type
  await assert.rejects(send((_, res) => res.writeHead(502).end('<html>')), kind('bad_answer'))
  await assert.rejects(send(json(500, { message: 'no code' })), kind('bad_answer'))
  await assert.rejects(send((_, res) => res.writeHead(302, { Location: '/' }).end()), kind('unreachable'))
  await assert.rejects(send((_, res) => res.writeHead(200, { 'Content-Type': 'application/cbor' }).end(Buffer.alloc((1 << 20) + 1))), kind('bad_answer'))
  await assert.rejects(send((req) => req.socket.destroy()), kind('unreachable'))
  const { url, server } = await serve(t, json(200, []))
  await assert.rejects(new Client({ url, fetch: async () => new Response('x') }).status(), kind('bad_answer'))
  await new Promise((done) => server.close(done))
  await assert.rejects(new Client({ url }).status(), kind('unreachable'))
})

test('boxes: put, take, nothing yet, taken already, give up', async (t) => {
  const slots = new Map()
  const { url } = await serve(t, (req, res, body) => {
    const [path, query] = req.url.split('?')
    if (req.method === 'POST') {
      if (slots.has(path)) return json(409, { code: 'slot_taken', message: 'written before' })(req, res)
      slots.set(path, body)
      return res.writeHead(204).end()
    }
    if (slots.has(path)) return res.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(slots.get(path))
    if (query === 'wait=25') return waiting.resolve()
    json(404, { code: 'no_message', message: 'nothing yet' })(req, res)
  })
  const waiting = {}
  const asked = new Promise((resolve) => (waiting.resolve = resolve))
  const c = new Client({ url })
  const box = 'ab'.repeat(16)
  assert.equal(await c.getBox(box, 'key'), null)
  await c.postBox(box, 'key', Uint8Array.of(1, 2))
  assert.deepEqual(await c.getBox(box, 'key', { wait: 1 }), Uint8Array.of(1, 2))
  assert.deepEqual([...slots.keys()], [`/v1/boxes/${box}/key`])
  await assert.rejects(c.postBox(box, 'key', Uint8Array.of(3)), kind('slot_taken'))
  const abort = new AbortController()
  const got = c.getBox(box, 'done', { wait: 25, signal: abort.signal })
  await asked
  abort.abort()
  await assert.rejects(got, kind('cancelled'))
})

test('events: what is asked, what is told, until close', async (t) => {
  const stream = {}
  const { url, asked } = await serve(t, (_, res) => {
    stream.res = res.writeHead(200, { 'Content-Type': 'text/event-stream' })
    res.write(': hello\n\nevent: head\ndata: {"height":5,"time":"2026-01-01T00:00:00Z"}\n\nevent: device\ndata: {"id":"hosdev1x","online":true}\n\n')
    res.write('event: rights\ndata: {"account":"hosacc1x"}\n\nevent: rights\ndata: not json\n\nevent: other\ndata: {}\n\n')
    res.end()
  })
  const c = new Client({ url, EventSource: StreamEvents })
  const told = []
  const closed = new Promise((done) => {
    c.events({ account: id, devices: [id, deviceText(id)] }, {
      head: (e) => told.push(['head', e.height]),
      device: (e) => told.push(['device', e.id, e.online]),
      rights: (e) => told.push(['rights', e.account]),
      state: (s) => (told.push([s]), s === 'closed' && done()),
    })
  })
  await closed
  assert.deepEqual(told, [['open'], ['head', 5], ['device', 'hosdev1x', true], ['rights', 'hosacc1x'], ['closed']])
  const q = new URL(asked[0].url, url).searchParams
  assert.deepEqual([q.get('account'), q.getAll('device')], [accountText(id), [deviceText(id), deviceText(id)]])
  assert.deepEqual(parseAccount(q.get('account')), id)

  let open = 0
  const close = new Client({ url, EventSource: class { constructor() { open++ } addEventListener() {} close() { open-- } } }).events({}, {})
  assert.equal(open, 1)
  close()
  assert.equal(open, 0)
  assert.throws(() => new Client({ url, EventSource: null }).events({}, {}), kind('unavailable'))
})

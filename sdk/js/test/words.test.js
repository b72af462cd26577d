import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CODES } from '../src/code.js'
import { explain, limits, spokenCodes } from '../src/elements/words.js'
import { fits, localhostOf, unfit } from '../page/place.js'

const outcome = (o) => ({ state: 'refused', code: '', detail: '', method: 'open', command: '', receipt: null, again: false, at: 0, ...o })

test('every code of a device has words of its own', () => {
  assert.deepEqual(spokenCodes().sort(), Object.keys(CODES).filter((c) => c !== 'ok').sort())
  for (const code of spokenCodes()) {
    const w = explain(outcome({ code, receipt: {} }))
    assert.ok(w.title && w.text && w.tone !== 'good', code)
  }
})

test('good words stand for executed alone, the worst for a lie', () => {
  assert.equal(explain(outcome({ state: 'executed', code: 'ok', receipt: {} })).tone, 'good')
  assert.equal(explain(outcome({ state: 'forged', code: 'ok' })).tone, 'bad')
  for (const code of ['device_offline', 'no_receipt', 'unreachable', 'bad_answer', 'cancelled', 'ok', 'never_heard_of', 'wrong_origin']) {
    for (const again of [false, true]) assert.notEqual(explain(outcome({ code, again })).tone, 'good', code)
  }
})

test('what is not known is not called done or undone', () => {
  for (const code of ['expired', 'replayed']) {
    assert.match(explain(outcome({ state: 'unknown', code, receipt: {}, again: true })).text, /may have been done/)
  }
  assert.match(explain(outcome({ state: 'unknown', code: 'device_offline', again: true })).text, /not known/)
})

test('what narrows a permission is told', () => {
  const all = limits({
    notAfter: 1_800_003_600, zone: 'Europe/Berlin', uses: 3, rate: { count: 5, period: 3600 },
    windows: [{ day: 1, from: 480, to: 1080 }, { day: 7, from: 0, to: 1440 }],
  })
  assert.match(all[0], /^until .*2027/)
  assert.deepEqual(all.slice(1), ['only Mon 08:00–18:00, Sun 00:00–24:00 (Europe/Berlin)', '3 times in all', 'at most 5 times in any 1 h'])
  assert.deepEqual(limits({ notAfter: 1n, uses: 1n, rate: { count: 1, period: 90 } }).slice(1), ['once in all', 'at most once in any 90 s'])
  assert.equal(limits({ notAfter: 1, rate: { count: 2, period: 120 } })[1], 'at most 2 times in any 2 min')
})

test('places where no passkey can live', () => {
  const all = { secure: true, passkeys: true, storage: true }
  const at = (hostname, protocol = 'https:') => ({ hostname, protocol })
  assert.equal(unfit(at('node.example'), all), '')
  assert.equal(unfit(at('localhost', 'http:'), all), '')
  assert.equal(unfit(at('127.0.0.1', 'http:'), all), 'address')
  assert.equal(unfit(at('192.168.1.5'), all), 'address')
  assert.equal(unfit(at('[::1]'), all), 'address')
  assert.equal(unfit(at('node.example', 'http:'), { ...all, secure: false }), 'insecure')
  assert.equal(unfit(at('node.example'), { ...all, passkeys: false }), 'no_passkeys')
  assert.equal(unfit(at('node.example'), { ...all, storage: false }), 'no_storage')
  assert.equal(localhostOf({ protocol: 'http:', hostname: '127.0.0.1', port: '80', hash: '#phone=x' }), 'http://localhost:80/#phone=x')
  assert.equal(localhostOf({ protocol: 'http:', hostname: '10.0.0.1', port: '', hash: '' }), '')
})

test('an offer is for one page', () => {
  const at = { origin: 'https://a.example', hostname: 'a.example' }
  assert.ok(fits({ origin: 'https://a.example', rpId: 'a.example' }, at))
  assert.ok(fits({ origin: 'https://a.example', rpId: 'example' }, at))
  assert.ok(!fits({ origin: 'https://b.example', rpId: 'a.example' }, at))
  assert.ok(!fits({ origin: 'https://a.example', rpId: 'le' }, at))
})

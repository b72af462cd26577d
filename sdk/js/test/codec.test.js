import assert from 'node:assert/strict'
import test from 'node:test'
import { HosError, decode, encode } from '../src/index.js'
import { bytes, list, pack, text, uint, unpack } from '../src/record.js'
import { load, unhex, x } from './vectors.js'

const kind = (k) => (e) => e instanceof HosError && (assert.equal(e.kind, k), true)

test('numbers: safe ones are numbers, others BigInts', () => {
  for (const [v, hex] of [
    [0, '00'], [23, '17'], [24, '1818'], [2 ** 32, '1b0000000100000000'], [Number.MAX_SAFE_INTEGER, '1b001fffffffffffff'],
    [2n ** 53n, '1b0020000000000000'], [2n ** 64n - 1n, '1bffffffffffffffff'], [-1, '20'], [-(2n ** 64n), '3bffffffffffffffff'],
  ]) {
    assert.equal(x(encode(v)), hex)
    assert.equal(decode(unhex(hex), 9), v)
  }
  assert.equal(x(encode(5n)), '05')
})

test('values without an encoding', () => {
  for (const v of [1.5, NaN, -0.5, undefined, Infinity, 2n ** 64n, () => 0, Symbol('x'), [undefined], new Map([[1, 0.5]])]) {
    assert.throws(() => encode(v), kind('malformed'), String(v?.toString?.()))
  }
  let deep = 0
  for (let i = 0; i < 9; i++) deep = [deep]
  assert.throws(() => encode(deep), kind('malformed'))
  assert.throws(() => encode(new Array(1025).fill(0)), kind('malformed'))
  assert.equal(encode(new Array(1024).fill(0)).length, 1027)
})

test('refusals beyond the vectors', () => {
  const cases = {
    '': 'malformed', '61ff': 'malformed', '62c080': 'malformed', '1c': 'malformed', 'ff': 'malformed', 'f4f4': 'malformed', 'f818': 'malformed',
    '9bffffffffffffffff': 'malformed', '5bffffffffffffffff': 'malformed', '990401': 'malformed', 'b90401': 'malformed', 'a20101': 'malformed',
    'a2020001': 'malformed', '8118': 'malformed', '1817': 'not_canonical', 'a2010001': 'malformed', 'a201000100': 'not_canonical',
    '5817': 'malformed', '7800': 'not_canonical', '980100': 'not_canonical', 'b8010100': 'not_canonical', '3800': 'not_canonical',
  }
  for (const [hex, want] of Object.entries(cases)) {
    assert.throws(() => decode(unhex(hex), 64), kind(want), hex)
  }
  assert.throws(() => decode(unhex('0000'), 1), kind('too_large'))
  assert.throws(() => decode('00', 1), kind('malformed'))
})

test('texts keep a byte order mark', () => {
  assert.equal(decode(unhex('64efbbbf61'), 8), '\ufeffa')
  assert.equal(x(encode('\ufeffa')), '64efbbbf61')
})

test('what decode gives shares no memory with its input', () => {
  for (const b of [unhex('420102'), Buffer.from('420102', 'hex')]) {
    const v = decode(b, 8)
    b.fill(0)
    assert.deepEqual(v, Uint8Array.of(1, 2))
  }
  assert.equal(Object.getPrototypeOf(encode(1)), Uint8Array.prototype)
})

test('damaged messages are refused or are the one form of another value', () => {
  let n = 0
  for (const c of ['tx', 'command', 'receipt', 'state'].flatMap((f) => load(f).cases)) {
    const b = unhex(c.hex)
    if (b.length > 1200) continue
    for (let i = 0; i < b.length; i += 3) {
      const bad = b.slice()
      bad[i] ^= 1 << (i % 8)
      try {
        assert.equal(x(encode(decode(bad, 4096))), x(bad))
      } catch (e) {
        if (!(e instanceof HosError)) throw e
      }
      n++
    }
  }
  assert.ok(n > 1000)
})

test('records: each departure from the table', () => {
  const table = { n: [1, uint(255)], id: [2, bytes(2)], names: [3, list(text)], more: [4, bytes(), 'optional'] }
  const good = { n: 1, id: Uint8Array.of(1, 2), names: ['a'] }
  const b = pack(table, good, 'record')
  assert.equal(x(b), 'a30101024201020381' + '6161')
  assert.deepEqual(unpack(table, b, 64, 'record'), good)
  assert.equal(x(pack(table, { ...good, more: new Uint8Array() }, 'record')), x(b))
  const cases = {
    'a3010102420102038101': 'malformed', // list of numbers
    'a301190100024201020380': 'malformed', // over its maximum
    'a30120024201020380': 'malformed', // negative
    'a30101026201020380': 'malformed', // text for bytes
    'a301010241010380': 'not_canonical', // short
    'a2010102420102': 'not_canonical', // a field is missing
    'a401010242010203800440': 'not_canonical', // there and empty
    'a401010242010203800500': 'malformed', // unknown field
    'a4010102420102038161616100': 'malformed', // a key that is no number
    'a401010102024201020380': 'malformed', // a field twice
    'a301f6024201020380': 'not_canonical', // null
    '80': 'malformed', 'f6': 'not_canonical',
  }
  for (const [hex, want] of Object.entries(cases)) assert.throws(() => unpack(table, unhex(hex), 64, 'record'), kind(want), hex)
  assert.throws(() => pack(table, { ...good, n: 256 }, 'record'), kind('malformed'))
  assert.throws(() => pack(table, { ...good, n: 1.5 }, 'record'), kind('malformed'))
  assert.throws(() => pack(table, { ...good, n: undefined }, 'record'), kind('malformed'))
})

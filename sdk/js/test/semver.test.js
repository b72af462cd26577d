/** The order of versions, as chain/tx has it (TestParseSemver). */
import assert from 'node:assert/strict'
import test from 'node:test'
import { compareSemver, parseSemver } from '../src/semver.js'

test('versions are in the order of Semantic Versioning 2.0.0', () => {
  const order = [
    '0.0.0', '0.0.1-0', '0.0.1', '1.0.0-1', '1.0.0-2', '1.0.0-10', '1.0.0-99999999999999999999', '1.0.0-1a', '1.0.0-A', '1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta',
    '1.0.0-beta', '1.0.0-beta.2', '1.0.0-beta.11', '1.0.0-rc.1', '1.0.0-rc.1.0', '1.0.0-rc.1-x', '1.0.0', '1.0.10', '1.2.0', '1.10.0', '2.0.0', '4294967295.0.0',
  ].map(parseSemver)
  order.forEach((a, i) => order.forEach((b, j) => assert.equal(Math.sign(compareSemver(a, b)), Math.sign(i - j), `${i} against ${j}`)))
})

test('what is no version is refused', () => {
  for (const bad of [
    '', '1', '1.2', '1.2.3.4', 'v1.2.3', '01.2.3', '1.02.3', '1.2.03', '-1.2.3', '+1.2.3', '1.2.3-', '1.2.3-a..b', '1.2.3-01', '1.2.3-é', '1.2.3-a_b',
    '1.2.3+build', '1.2.3 ', ' 1.2.3', '1.2.x', '4294967296.0.0', '10000000000.0.0', '1..3', '1.2.3\n', `1.2.3-${'a'.repeat(64)}`,
  ]) {
    assert.throws(() => parseSemver(bad), { kind: 'malformed_tx' }, bad)
  }
})

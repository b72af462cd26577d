/** Versions of releases: docs/spec/tx.md. */
import { HosError } from './error.js'

/** A version; `pre` is empty for a final one. @typedef {{core: number[], pre: string[]}} Semver */

const FORM = /^(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})(?:-((?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?$/
const NUMBER = /^[0-9]+$/

/**
 * Reads the one text form of a version.
 * @param {string} s
 * @returns {Semver}
 */
export function parseSemver(s) {
  const found = s.length <= 64 && FORM.exec(s)
  if (!found) throw new HosError('malformed_tx', 'a version that is not like 1.2.3 or 1.2.3-rc.1')
  const core = found.slice(1, 4).map(Number)
  if (core.some((n) => n > 4294967295)) throw new HosError('malformed_tx', 'a version of too large numbers')
  return { core, pre: found[4] === undefined ? [] : found[4].split('.') }
}

/**
 * Negative if a is older than b, 0 if they are the same.
 * @param {Semver} a
 * @param {Semver} b
 */
export function compareSemver(a, b) {
  for (let i = 0; i < 3; i++) if (a.core[i] !== b.core[i]) return a.core[i] - b.core[i]
  if (a.pre.length === 0 || b.pre.length === 0) return b.pre.length - a.pre.length
  for (let i = 0; i < Math.min(a.pre.length, b.pre.length); i++) {
    const c = compareIdentifiers(a.pre[i], b.pre[i])
    if (c !== 0) return c
  }
  return a.pre.length - b.pre.length
}

/** Numbers before names, numbers by value. @param {string} a @param {string} b */
function compareIdentifiers(a, b) {
  const [x, y] = [NUMBER.test(a), NUMBER.test(b)]
  if (x !== y) return x ? -1 : 1
  if (x && a.length !== b.length) return a.length - b.length
  return a < b ? -1 : a > b ? 1 : 0
}

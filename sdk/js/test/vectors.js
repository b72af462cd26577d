/**
 * Reads chain/vectors. `run` takes a table of what to do with each group of
 * cases of a file, and fails when a file or a case is not handled.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { HosError } from '../src/index.js'

const folder = new URL('../../../chain/vectors/', import.meta.url)

/** The names of all files. */
export const files = readdirSync(folder).filter((f) => f.endsWith('.json')).map((f) => f.slice(0, -5)).sort()

/** One file. */
export const load = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'))

/** Bytes of hex. */
export const unhex = (s = '') => Uint8Array.from(Buffer.from(s, 'hex'))
/** Hex of bytes. */
export const x = (b) => Buffer.from(b).toString('hex')

/** What a check gives, refusals as the files name them. */
export async function outcome(check, c) {
  try {
    return await check(c, unhex(c.hex))
  } catch (e) {
    if (!(e instanceof HosError)) throw e
    return { refused: e.kind }
  }
}

/** Runs every case of a file through the check of its group. */
export function run(name, groups) {
  const { cases } = load(name)
  const group = (c) => c.name.split('/')[0]
  test(`${name}: cases are there and each has a check`, () => {
    assert.ok(cases.length > 0)
    assert.deepEqual([...new Set(cases.map(group))].sort(), Object.keys(groups).sort())
  })
  for (const c of cases) {
    test(`${name}: ${c.name}`, async () => {
      const got = await outcome(groups[group(c)], c)
      for (const k of Object.keys(got)) if (k !== 'refused' && !(k in c.want)) delete got[k]
      assert.deepEqual(got, c.want)
    })
  }
}

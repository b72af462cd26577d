/**
 * Records: maps with small integer keys and fields of known types. A table
 * says both how a record is read and how it is written; a field that is not
 * where and what the table says is refused as the Go code refuses it.
 */
import { decodeAs, encode, repeated } from './codec.js'
import { HosError } from './error.js'

/**
 * A type of a field.
 * @typedef {{read(v: any, name: string): any, write(v: any, name: string): any, empty(v: any): boolean}} Type
 */
/** @typedef {[number: number, type: Type, optional?: 'optional']} Field */
/** @typedef {Record<string, Field>} Table */

/** @param {string} name @param {string} detail */
const malformed = (name, detail) => new HosError('malformed', `${name}: ${detail}`)

const MAX_UINT64 = (1n << 64n) - 1n

/**
 * An unsigned integer of at most `max`.
 * @param {number | bigint} [max]
 * @returns {Type}
 */
export function uint(max = MAX_UINT64) {
  /** @param {any} v @param {string} name */
  const check = (v, name) => {
    if ((typeof v !== 'bigint' && !Number.isSafeInteger(v)) || v < 0 || v > max) throw malformed(name, 'not a number in its range')
    return typeof v === 'bigint' && v <= Number.MAX_SAFE_INTEGER ? Number(v) : v
  }
  return { read: check, write: check, empty: (v) => v === 0 }
}

/**
 * Bytes, `size` of them if it is given.
 * @param {number} [size]
 * @returns {Type}
 */
export function bytes(size) {
  /** @param {any} v @param {string} name */
  const check = (v, name) => {
    if (!(v instanceof Uint8Array)) throw malformed(name, 'not bytes')
    if (size !== undefined && v.length !== size) throw new HosError('not_canonical', `${name}: ${v.length} bytes, want ${size}`)
    return v
  }
  return { read: check, write: check, empty: (v) => v.length === 0 }
}

/** @param {any} v @param {string} name */
const checkText = (v, name) => {
  if (typeof v !== 'string') throw malformed(name, 'not a text')
  return v
}

/** A text. @type {Type} */
export const text = { read: checkText, write: checkText, empty: (v) => v === '' }

/** @param {any} v @param {string} name */
const checkFlag = (v, name) => {
  if (typeof v !== 'boolean') throw malformed(name, 'neither true nor false')
  return v
}

/** True or false. @type {Type} */
export const flag = { read: checkFlag, write: checkFlag, empty: (v) => !v }

/**
 * A list of one type.
 * @param {Type} type
 * @returns {Type}
 */
export function list(type) {
  /** @param {'read' | 'write'} way @returns {(v: any, name: string) => any} */
  const each = (way) => (v, name) => {
    if (!Array.isArray(v)) throw malformed(name, 'not a list')
    return v.map((x, i) => type[way](x, `${name}[${i}]`))
  }
  return { read: each('read'), write: each('write'), empty: (v) => v.length === 0 }
}

/** Any item, kept as its value. @type {Type} */
export const item = { read: (v) => v, write: (v) => v, empty: () => false }

/** A map of numbers to items. @type {Type} */
export const extensions = {
  read(v, name) {
    if (!(v instanceof Map) || [...v.keys()].some((k) => typeof k !== 'number' && typeof k !== 'bigint' || k < 0)) throw malformed(name, 'not a map of numbers')
    return v
  },
  write: (v) => v,
  empty: (v) => v.size === 0,
}

/**
 * A record inside another.
 * @param {Table} table
 * @returns {Type}
 */
export function record(table) {
  return { read: (v, name) => fromMap(table, v, name), write: (v, name) => toMap(table, v, name), empty: () => false }
}

/**
 * Reads a record from its bytes.
 * @param {Table} table
 * @param {Uint8Array} b
 * @param {number} max
 * @param {string} name what it is, for people
 * @returns {any}
 */
export function unpack(table, b, max, name) {
  return decodeAs(b, max, (v) => fromMap(table, v, name))
}

/**
 * Writes a record.
 * @param {Table} table
 * @param {object} v
 * @param {string} name
 */
export function pack(table, v, name) {
  return encode(toMap(table, v, name))
}

/**
 * @param {Table} table
 * @param {any} v
 * @param {string} name
 */
export function fromMap(table, v, name) {
  if (v === null) throw new HosError('not_canonical', `${name}: null for a record`)
  if (!(v instanceof Map)) throw malformed(name, 'not a record')
  if (repeated.has(v)) throw malformed(name, 'a field twice')
  /** @type {any} */
  const out = {}
  const known = new Set()
  let missing = ''
  for (const [field, [number, type, optional]] of Object.entries(table)) {
    known.add(number)
    const there = v.get(number)
    if (there === undefined || there === null) {
      if (!optional || there === null) missing ||= field
      continue
    }
    out[field] = type.read(there, `${name}.${field}`)
    if (optional && type.empty(out[field])) missing ||= field
  }
  for (const k of v.keys()) if (!known.has(k)) throw malformed(name, `unknown field ${String(k)}`)
  if (missing) throw new HosError('not_canonical', `${name}: ${missing} is missing, or there and empty`)
  return out
}

/**
 * @param {Table} table
 * @param {any} v
 * @param {string} name
 */
function toMap(table, v, name) {
  const out = new Map()
  for (const [field, [number, type, optional]] of Object.entries(table)) {
    const x = v?.[field]
    if (optional && (x === undefined || type.empty(x))) continue
    out.set(number, type.write(x, `${name}.${field}`))
  }
  return out
}

/** What a device says unasked, and the order in which it said it: docs/spec/attest.md. */
import { sha256 } from '@noble/hashes/sha2.js'
import { digest, equal, hash, LABELS } from './codec.js'
import { HosError } from './error.js'
import { deviceId } from './id.js'
import { invokeOnly, verify } from './key.js'
import { validName } from './name.js'
import { bytes, extensions, text, uint, unpack } from './record.js'

/**
 * What is said of one statement. `statement` is null if it could not be read or
 * its signature does not hold; without `flags` it is the next one and nothing is
 * wrong; `taken` tells that the stream goes on from it, `missing` how many
 * before it did not come, `whole` that its payload was there.
 * @typedef {{statement: any, flags: string[], taken: boolean, missing: number | bigint, whole: boolean}} Verdict
 */

const [VERSION, FIRST_KIND, LAST_KIND, FIRST_OPTIONAL] = [1, 1, 4, 128]
const [MAX_BYTES, MAX_INLINE, MAX_PAYLOAD, MAX_NAME, HASH] = [8192, 4096, 16 << 20, 64, 32]
/** Of so many last numbers it is known which statement had them. */
const WINDOW = 64n

/** @type {import('./record.js').Table} */
const bodyTable = {
  version: [1, uint(255)],
  chain: [2, bytes(8)],
  device: [3, bytes(20)],
  epoch: [4, uint()],
  stream: [5, text],
  kind: [6, uint(255)],
  seq: [7, uint()],
  prev: [8, bytes()],
  unsure: [9, uint(), 'optional'],
  time: [10, uint()],
  height: [11, uint()],
  headHash: [12, bytes()],
  sum: [13, bytes(32)],
  size: [14, uint()],
  payload: [15, bytes(), 'optional'],
  subject: [16, text, 'optional'],
  extensions: [17, extensions, 'optional'],
}

/** @type {import('./record.js').Table} */
const envelopeTable = { body: [1, bytes()], sig: [2, bytes()] }

/**
 * Reads a statement and checks its device's signature; throws on anything else.
 * @param {Uint8Array} b
 * @param {{chain: Uint8Array, device: import('./key.js').PublicKey}} expected the key is from the ledger or the pairing
 */
export function verifyStatement(b, { chain, device }) {
  const { body, sig } = unpack(envelopeTable, b, MAX_BYTES, 'statement')
  const s = unpack(bodyTable, body, MAX_BYTES, 'statement')
  checkBody(s)
  if (!equal(s.chain, chain.subarray(0, 8))) throw new HosError('wrong_chain', 'a statement for another ledger')
  if (!equal(s.device, deviceId(device))) throw new HosError('foreign_device', 'a statement by another device')
  if (invokeOnly(device.alg)) throw new HosError('bad_signature', `a device does not sign with algorithm ${device.alg}`)
  try {
    verify(device, digest(LABELS.attest, chain, body), sig)
  } catch (cause) {
    throw new HosError('bad_signature', 'not signed by the device', { cause })
  }
  return { ...s, payload: s.payload ?? new Uint8Array(), subject: s.subject ?? '', hash: hash(LABELS.attests, body) }
}

/** @param {any} s */
function checkBody(s) {
  const demand = (/** @type {boolean} */ ok, /** @type {string} */ detail) => {
    if (!ok) throw new HosError('malformed', `statement: ${detail}`)
  }
  if (s.version !== VERSION) throw new HosError('bad_version', `statement version ${s.version}`)
  demand(s.kind >= FIRST_KIND && s.kind <= LAST_KIND, `kind ${s.kind}`)
  demand(validName(s.stream) && new TextEncoder().encode(s.subject ?? '').length <= MAX_NAME, 'stream or subject')
  const unsure = s.unsure ?? 0
  demand(s.epoch > 0 && s.seq > 0 && unsure < s.seq, 'no epoch or number, or unsure of too many')
  demand(s.size <= MAX_PAYLOAD && (s.payload?.length ?? 0) <= MAX_INLINE, 'payload too long')
  demand((s.headHash.length === 0 || s.headHash.length === HASH) && (s.height === 0) === (s.headHash.length === 0), 'head without its hash')
  const begins = s.seq === 1 || unsure > 0
  demand(s.prev.length === (begins ? 0 : HASH), 'what it follows')
  for (const n of s.extensions?.keys() ?? []) demand(n >= FIRST_OPTIONAL, `critical extension ${n}`)
  if (s.payload) covers(s, s.payload)
}

/** @param {any} s @param {Uint8Array} payload */
function covers(s, payload) {
  if (payload.length !== s.size || !equal(sha256(payload), s.sum)) throw new HosError('payload_mismatch', 'not the payload that was signed for')
}

/** Follows one stream from its beginning, whoever brings it. */
export class StreamVerifier {
  /** @type {{seq: bigint, hash: Uint8Array, time: number | bigint, height: number | bigint}} */
  #last = { seq: 0n, hash: new Uint8Array(), time: 0, height: 0 }
  /** @type {Map<bigint, Uint8Array>} */
  #seen = new Map()
  #source

  /** @param {{chain: Uint8Array, device: import('./key.js').PublicKey, epoch: number | bigint, stream: string}} source */
  constructor(source) {
    this.#source = source
  }

  /**
   * Judges the bytes of a statement, with the payload if that travelled beside it.
   * @param {Uint8Array} raw
   * @param {Uint8Array} [payload]
   * @returns {Verdict}
   */
  accept(raw, payload) {
    let statement = null
    try {
      statement = verifyStatement(raw, this.#source)
      if (statement.epoch !== this.#source.epoch) throw new HosError('wrong_epoch', `epoch ${statement.epoch}`)
      if (statement.stream !== this.#source.stream) throw new HosError('foreign_stream', `stream ${statement.stream}`)
      if (payload) covers(statement, payload)
      this.#place(statement)
    } catch (e) {
      if (!(e instanceof HosError)) throw e
      return { statement, flags: [e.kind], taken: false, missing: 0, whole: false }
    }
    const verdict = { statement, ...this.#note(statement), taken: true, whole: payload !== undefined || statement.payload.length === statement.size }
    this.#take(statement)
    return verdict
  }

  /** Refuses what does not stand behind the last one. @param {any} s */
  #place(s) {
    const [seq, last] = [BigInt(s.seq), this.#last]
    if (seq > last.seq) {
      if (seq === last.seq + 1n && s.prev.length > 0 && !equal(s.prev, last.hash)) throw new HosError('splice', `number ${seq} follows another past`)
      return
    }
    const before = this.#seen.get(seq)
    if (before && !equal(before, s.hash)) throw new HosError('splice', `number ${seq} was given to another statement`)
    if (before || seq <= last.seq - WINDOW) throw new HosError('replay', `number ${seq} came before`)
    this.#seen.set(seq, s.hash)
    throw new HosError('reorder', `number ${seq} comes after ${last.seq}`)
  }

  /** Flags what is odd about a statement that is taken. @param {any} s */
  #note(s) {
    const missing = BigInt(s.seq) - this.#last.seq - 1n
    const flags = []
    if (s.unsure) flags.push('restart')
    if (missing > BigInt(s.unsure ?? 0)) flags.push('drop')
    if (s.time < this.#last.time) flags.push('time_back')
    if (s.height < this.#last.height) flags.push('height_back')
    return { flags, missing }
  }

  /** @param {any} s */
  #take(s) {
    const { time, height } = this.#last
    this.#last = { seq: BigInt(s.seq), hash: s.hash, time: s.time > time ? s.time : time, height: s.height > height ? s.height : height }
    this.#seen.set(this.#last.seq, s.hash)
    for (const n of this.#seen.keys()) if (n <= this.#last.seq - WINDOW) this.#seen.delete(n)
  }
}

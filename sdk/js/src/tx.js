/** Ledger transactions, to read them: docs/spec/tx.md. */
import { malformed, MAX_KEYS } from './check.js'
import { compare, digest, LABELS } from './codec.js'
import { HosError } from './error.js'
import { MAX_SIGNATURE } from './key.js'
import { payloads } from './payload.js'
import { bytes, fromMap, item, list, pack, record, uint, unpack } from './record.js'

export { accountKeys, checkGuardians, checkKeySet, guardians, RIGHTS, TX_KINDS } from './payload.js'

/** @typedef {import('./key.js').PublicKey} PublicKey */
/** @typedef {import('./payload.js').AccountKey} AccountKey */
/** @typedef {import('./payload.js').Guardians} Guardians */
/** A signature of a transaction. @typedef {{role: number, key: Uint8Array, bytes: Uint8Array}} TxSig */
/** The signed part; `payload` is by kind. @typedef {{kind: number, account: Uint8Array, sequence: number | bigint, expires: number | bigint, payload: any}} TxBody */
/** A transaction; `raw` is the bytes of its body. @typedef {{body: TxBody, raw: Uint8Array, sigs: TxSig[]}} Tx */

/** In which capacity a key signs. Numbers are append-only. */
export const ROLES = Object.freeze({
  account: 1, vendor: 2, device: 3, newOwner: 4, newKey: 5, governor: 6, guardian: 7, party: 8, grantee: 9, approver: 10,
})

/** The longest envelope. */
export const MAX_TX = 65536
const VERSION = 1
const MAX_SIGS = 2 * MAX_KEYS + 1

/** @type {import('./record.js').Table} */
const envelopeTable = {
  body: [1, bytes()],
  sigs: [2, list(record({ role: [1, uint(255)], key: [2, bytes(20)], bytes: [3, bytes()] }))],
}
/** @type {import('./record.js').Table} */
const bodyTable = {
  version: [1, uint(255)],
  kind: [2, uint(65535)],
  account: [3, bytes(20)],
  sequence: [4, uint()],
  expires: [5, uint()],
  payload: [6, item],
}

/**
 * Reads a transaction. Everything that is not the canonical form of a known
 * kind within its caps is refused; no signature is checked.
 * @param {Uint8Array} b
 * @returns {Tx}
 */
export function decodeTx(b) {
  const { body: raw, sigs } = unpack(envelopeTable, b, MAX_TX, 'transaction')
  const body = readBody(raw)
  checkExpiry(body)
  checkSigs(sigs)
  payloads[body.kind].check(body.payload)
  return { body, raw, sigs }
}

/**
 * Reads the body of a transaction that is not signed yet.
 * @param {Uint8Array} raw
 * @returns {TxBody}
 */
export function decodeTxBody(raw) {
  const body = readBody(raw)
  checkExpiry(body)
  payloads[body.kind].check(body.payload)
  return body
}

/** What signatures cover, and the transaction's id. @param {Uint8Array} chain @param {Uint8Array} raw the body's bytes */
export const txDigest = (chain, raw) => digest(LABELS.tx, chain, raw)

/**
 * The bytes of a body, refused if decodeTxBody would refuse them.
 * @param {TxBody} body
 */
export function encodeTxBody(body) {
  const kind = payloads[body.kind]
  if (!kind) throw new HosError('unknown_kind', `kind ${body.kind}`)
  const raw = pack({ ...bodyTable, payload: [6, record(kind.table)] }, { ...body, version: VERSION }, 'transaction')
  decodeTxBody(raw)
  return raw
}

/**
 * The bytes of a transaction, its signatures put in order.
 * @param {Uint8Array} raw the body's bytes
 * @param {TxSig[]} sigs
 */
export function encodeTx(raw, sigs) {
  const out = pack(envelopeTable, { body: raw, sigs: [...sigs].sort(compareSigs) }, 'transaction')
  decodeTx(out)
  return out
}

/** @param {Uint8Array} raw @returns {TxBody} */
function readBody(raw) {
  const { version, ...body } = unpack(bodyTable, raw, MAX_TX, 'transaction body')
  if (version !== VERSION) throw new HosError('bad_version', `body version ${version}`)
  const kind = payloads[body.kind]
  if (!kind) throw new HosError('unknown_kind', `kind ${body.kind}`)
  return { ...body, payload: fromMap(kind.table, body.payload, 'payload') }
}

/** @param {TxBody} body */
function checkExpiry(body) {
  if (body.expires === 0) throw malformed('no expiry')
}

/** @param {TxSig[]} sigs */
function checkSigs(sigs) {
  if (sigs.length === 0 || sigs.length > MAX_SIGS) throw malformed(`${sigs.length} signatures, want 1 to ${MAX_SIGS}`)
  sigs.forEach((s, i) => {
    if (s.bytes.length === 0 || s.bytes.length > MAX_SIGNATURE) throw malformed('signature length')
    if (i > 0 && compareSigs(sigs[i - 1], s) >= 0) throw malformed('signatures repeated or out of order')
  })
}

/** @param {TxSig} a @param {TxSig} b */
const compareSigs = (a, b) => a.role - b.role || compare(a.key, b.key)

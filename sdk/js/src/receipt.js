/** Devices' signed answers: docs/spec/command.md. Nothing else tells what a device did. */
import { sha256 } from '@noble/hashes/sha2.js'
import { digest, equal, hash, LABELS } from './codec.js'
import { codeName, CODES, STATUS, statusName } from './code.js'
import { asCode } from './command.js'
import { HosError } from './error.js'
import { deviceId } from './id.js'
import { invokeOnly, verify } from './key.js'
import { bytes, uint, unpack } from './record.js'

/**
 * A receipt. `status` and `code` are names (STATUS, CODES); `counter` is 0 if
 * the device did not keep it; `height` is of the device's verified ledger head;
 * `time` is the device's, Unix milliseconds; `hash` is what the next one names.
 * @typedef {object} Receipt
 * @property {Uint8Array} command
 * @property {Uint8Array} device
 * @property {number | bigint} epoch
 * @property {number | bigint} counter
 * @property {string} status
 * @property {string} code
 * @property {Uint8Array} result
 * @property {number | bigint} height
 * @property {Uint8Array} headHash
 * @property {number | bigint} time
 * @property {Uint8Array} prev
 * @property {Uint8Array} [envelope] SHA-256 of the bytes answered, if `counter` is 0
 * @property {Uint8Array} hash
 */

const MAX_RECEIPT = 8192
const VERSION = 1

/** @type {import('./record.js').Table} */
const bodyTable = {
  version: [1, uint(255)],
  command: [2, bytes(32)],
  device: [3, bytes(20)],
  epoch: [4, uint()],
  counter: [5, uint()],
  status: [6, uint(255)],
  code: [7, uint(65535)],
  result: [8, bytes(), 'optional'],
  height: [9, uint()],
  headHash: [10, bytes()],
  time: [11, uint()],
  prev: [12, bytes()],
  envelope: [13, bytes(), 'optional'],
}

/** @type {import('./record.js').Table} */
const envelopeTable = { body: [1, bytes()], sig: [2, bytes()] }

/**
 * Reads a receipt and checks that this device answered this very command.
 * Throws on anything else, whatever it is. A sender gives the bytes that it
 * sent as well: a receipt that the device does not keep is about one envelope,
 * and a true refusal of the command with a spoilt signature is no answer.
 * @param {Uint8Array} b
 * @param {{chain: Uint8Array, device: import('./key.js').PublicKey, command: Uint8Array, envelope?: Uint8Array}} expected
 *   the key is from the ledger or the pairing, the command's id and the envelope from signCommand
 * @returns {Receipt}
 */
export function verifyReceipt(b, { chain, device, command, envelope }) {
  const { body, sig } = unpack(envelopeTable, b, MAX_RECEIPT, 'receipt')
  const r = unpack(bodyTable, body, MAX_RECEIPT, 'receipt')
  checkBody(r)
  if (!equal(r.device, deviceId(device))) throw new HosError('wrong_device', 'a receipt by another device')
  if (!equal(r.command, command)) throw new HosError('malformed', 'a receipt for another command')
  if (invokeOnly(device.alg)) throw new HosError('unknown_alg', `a device does not sign with algorithm ${device.alg}`)
  asCode(() => verify(device, digest(LABELS.receipt, chain, body), sig))
  if (envelope && !r.counter && !(r.envelope && equal(r.envelope, sha256(envelope)))) throw new HosError('malformed', 'a receipt for other bytes of this command')
  const { version: _, ...fields } = r
  return { ...fields, result: r.result ?? new Uint8Array(), status: statusName(r.status), code: codeName(r.code), hash: hash(LABELS.receipts, b) }
}

/** @param {any} r */
function checkBody(r) {
  if (r.envelope && (r.counter || r.envelope.length !== 32)) throw new HosError('malformed', `receipt ${r.counter} names an envelope by ${r.envelope.length} bytes`)
  if (r.version !== VERSION) throw new HosError('bad_version', `receipt version ${r.version}`)
  if (r.status < STATUS.executed || r.status > STATUS.unknown) throw new HosError('malformed', `receipt status ${r.status}`)
  if ((r.status === STATUS.executed) !== (r.code === CODES.ok)) throw new HosError('malformed', `receipt says ${statusName(r.status)} with code ${codeName(r.code)}`)
}

/** Requests to devices: docs/spec/command.md. */
import { compare, digest, LABELS, preimage } from './codec.js'
import { HosError } from './error.js'
import { accountId, keyId } from './id.js'
import { MAX_SIGNATURE, verify } from './key.js'
import { validName } from './name.js'
import { bytes, extensions, list, pack, record, text, uint, unpack } from './record.js'

/** @typedef {import('./key.js').PublicKey} PublicKey */
/** @typedef {import('./signer.js').Signer} Signer */

/**
 * What a command says. Times are Unix milliseconds; `params` is executed
 * exactly as signed; without `grant` the principal is the owner's account.
 * @typedef {object} CommandFields
 * @property {Uint8Array} chain the chain digest, 32 bytes
 * @property {Uint8Array} device device id
 * @property {number | bigint} epoch the device's epoch
 * @property {string} endpoint
 * @property {string} method
 * @property {Uint8Array} [params]
 * @property {Uint8Array} principal account id
 * @property {Uint8Array} keyId of the key that signs
 * @property {Uint8Array} [grant] grant id, 32 bytes
 * @property {number | bigint} salt names the replay lane, with the key
 * @property {number | bigint} nonce rises within the lane; kept before it is used
 * @property {number | bigint} issuedAt
 * @property {number | bigint} expires at most 60000 after issuedAt for interactive methods
 * @property {number | bigint} [seen] greatest ledger height that the signer has verified
 */

/** The longest life of a command to an interactive method, in milliseconds. */
export const MAX_LIFE = 60_000
/** The longest life of a command that runs only when it is sealed, in milliseconds. */
export const MAX_SEALED_LIFE = 24 * 60 * MAX_LIFE

const MAX_COMMAND = 4096
const MAX_SIGS = 8
const MAX_BODY = MAX_COMMAND - (MAX_SIGNATURE + 28) - 16
const [VERSION, INVOKE, CANCEL, FIRST_OPTIONAL] = [1, 1, 3, 128]
/** The critical extensions: the body of a private grant; only when it is sealed. */
const [GRANT_BODY, NOTARISED] = [7, 8]
const MAX_GRANT_BODY = 2048
const MAX_CANCEL = 64

/** @type {import('./record.js').Table} */
const bodyTable = {
  version: [1, uint(255)],
  type: [2, uint(255)],
  chain: [3, bytes(8)],
  device: [4, bytes(20)],
  endpoint: [5, text],
  epoch: [6, uint()],
  principal: [7, bytes(20)],
  keyId: [8, bytes(20)],
  grant: [9, bytes(32), 'optional'],
  salt: [10, uint()],
  nonce: [11, uint()],
  issuedAt: [12, uint()],
  expires: [13, uint()],
  method: [14, text],
  params: [15, bytes(), 'optional'],
  seen: [16, uint(), 'optional'],
  extensions: [17, extensions, 'optional'],
}

/** @type {import('./record.js').Table} */
const cancelTable = { command: [1, bytes(32)], until: [2, uint()] }

/** @type {import('./record.js').Table} */
const envelopeTable = { body: [1, bytes()], sigs: [2, list(record({ key: [1, bytes(20)], bytes: [2, bytes()] }))] }

/**
 * The body of a command, and what is to be signed, which is its id.
 * @param {CommandFields} fields
 * @returns {{body: Uint8Array, digest: Uint8Array, preimage: Uint8Array}}
 */
export function buildCommand(fields) {
  const { chain } = fields
  const b = { ...fields, chain: chain.subarray(0, 8), version: VERSION, type: INVOKE, extensions: undefined }
  const body = pack(bodyTable, b, 'command')
  if (body.length > MAX_BODY) throw new HosError('too_large', `command body of ${body.length} bytes, at most ${MAX_BODY}`)
  checkBody(unpack(bodyTable, body, MAX_COMMAND, 'command'))
  return { body, digest: digest(LABELS.command, chain, body), preimage: preimage(LABELS.command, chain, body) }
}

/**
 * Makes a signed command. The key id is the signer's, and with a grant so is
 * the principal.
 * @param {Omit<CommandFields, 'keyId' | 'principal'> & {principal?: Uint8Array}} fields
 * @param {Signer} signer
 * @returns {Promise<{id: Uint8Array, bytes: Uint8Array}>}
 */
export async function signCommand(fields, signer) {
  const key = keyId(signer.public)
  const principal = fields.grant ? accountId(signer.public) : fields.principal
  if (!principal) throw new HosError('malformed', 'a command without grant needs its principal')
  const c = buildCommand({ ...fields, principal, keyId: key })
  const sig = await signer.sign(c.digest, c.preimage)
  const envelope = pack(envelopeTable, { body: c.body, sigs: [{ key, bytes: sig }] }, 'command')
  if (envelope.length > MAX_COMMAND) throw new HosError('too_large', `command of ${envelope.length} bytes, at most ${MAX_COMMAND}`)
  return { id: c.digest, bytes: envelope }
}

/**
 * Reads a command; no signature is checked.
 * @param {Uint8Array} b
 * @returns {{body: Uint8Array, fields: any, sigs: {key: Uint8Array, bytes: Uint8Array}[]}}
 */
export function decodeCommand(b) {
  const { body, sigs } = unpack(envelopeTable, b, MAX_COMMAND, 'command')
  const fields = unpack(bodyTable, body, MAX_COMMAND, 'command')
  checkBody(fields)
  checkSigs(sigs)
  return { body, fields, sigs }
}

/**
 * Checks that a key has signed a decoded command, whoever else has, and gives the
 * command's id.
 * @param {ReturnType<typeof decodeCommand>} command
 * @param {Uint8Array} chain
 * @param {PublicKey} pub
 */
export function verifyCommand(command, chain, pub) {
  const id = digest(LABELS.command, chain, command.body)
  const own = keyId(pub)
  const sig = command.sigs.find((s) => compare(s.key, own) === 0)
  if (!sig) throw new HosError('unknown_key', 'no signature by the expected key')
  asCode(() => verify(pub, id, sig.bytes))
  return id
}

/** Refusals of a signature as receipts show them. @param {() => void} check */
export function asCode(check) {
  try {
    check()
  } catch (e) {
    const { kind, detail } = /** @type {HosError} */ (e)
    if (kind !== 'bad_key') throw e
    throw new HosError('bad_signature', detail, { cause: e })
  }
}

/** @param {any} b */
function checkBody(b) {
  if (b.version !== VERSION) throw new HosError('bad_version', `body version ${b.version}`)
  if (b.type !== INVOKE && b.type !== CANCEL) throw new HosError('bad_type', `type ${b.type}`)
  if (!validName(b.endpoint) || !validName(b.method)) throw new HosError('malformed', 'endpoint or method is no name')
  if (b.epoch === 0 || b.nonce === 0 || b.expires <= b.issuedAt) throw new HosError('malformed', 'no epoch, no nonce, or expires before it was issued')
  for (const n of b.extensions?.keys() ?? []) if (n < FIRST_OPTIONAL && n !== GRANT_BODY && n !== NOTARISED) throw new HosError('unknown_extension', `critical extension ${n}`)
  const notarised = b.extensions?.get(NOTARISED)
  if (notarised !== undefined && notarised !== true) throw new HosError('malformed', `extension ${NOTARISED} is not true`)
  if (b.type === CANCEL) checkCancel(b.params, notarised)
  const body = b.extensions?.get(GRANT_BODY)
  if (body === undefined) return
  if (!(body instanceof Uint8Array) || body.length === 0 || body.length > MAX_GRANT_BODY || !b.grant) throw new HosError('malformed', 'the body of a private grant without a grant, or out of its form')
}

/**
 * What a cancel ends, in its params.
 * @param {Uint8Array | undefined} params
 * @param {true | undefined} notarised
 */
function checkCancel(params, notarised) {
  let c
  try {
    c = unpack(cancelTable, params ?? new Uint8Array(), MAX_CANCEL, 'cancel')
  } catch (cause) {
    throw new HosError('malformed', 'a cancel that names no command and its end', { cause })
  }
  if (notarised || c.until === 0 || c.command.every((/** @type {number} */ v) => v === 0)) throw new HosError('malformed', 'a cancel of nothing, or to be sealed itself')
}

/** @param {{key: Uint8Array, bytes: Uint8Array}[]} sigs */
function checkSigs(sigs) {
  if (sigs.length === 0 || sigs.length > MAX_SIGS) throw new HosError('malformed', `${sigs.length} signatures, want 1 to ${MAX_SIGS}`)
  sigs.forEach((s, i) => {
    if (s.bytes.length === 0 || s.bytes.length > MAX_SIGNATURE) throw new HosError('malformed', `signature of ${s.bytes.length} bytes`)
    if (i > 0 && compare(sigs[i - 1].key, s.key) >= 0) throw new HosError('malformed', 'signatures repeated or out of order')
  })
}

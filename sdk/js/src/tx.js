/** Ledger transactions, to read them: docs/spec/tx.md. */
import { compare, digest, equal, LABELS } from './codec.js'
import { HosError } from './error.js'
import { accountId, keyId } from './id.js'
import { invokeOnly, MAX_SIGNATURE, publicKey, validate } from './key.js'
import { validMethods, validModel, validName } from './name.js'
import { bytes, fromMap, item, list, pack, record, text, uint, unpack } from './record.js'

/** @typedef {import('./key.js').PublicKey} PublicKey */
/** A key of an account. @typedef {{key: PublicKey, rights: number}} AccountKey */
/** Who can recover an account, and after how many seconds. @typedef {{keys: PublicKey[], threshold: number, delay: number | bigint}} Guardians */
/** A signature of a transaction. @typedef {{role: number, key: Uint8Array, bytes: Uint8Array}} TxSig */
/** The signed part; `payload` is by kind. @typedef {{kind: number, account: Uint8Array, sequence: number | bigint, expires: number | bigint, payload: any}} TxBody */
/** A transaction; `raw` is the bytes of its body. @typedef {{body: TxBody, raw: Uint8Array, sigs: TxSig[]}} Tx */

/** The kinds of transactions. Numbers are append-only. */
export const TX_KINDS = Object.freeze({
  'register-device': 1, claim: 2, transfer: 3, 'rotate-keys': 4, 'create-grant': 5, 'revoke-grant': 6, propose: 7, approve: 8,
  release: 9, 'report-lost': 10, 'report-found': 11,
  'set-guardians': 12, 'start-recovery': 13, 'cancel-recovery': 14, 'finish-recovery': 15, freeze: 16, unfreeze: 17,
})
/** In which capacity a key signs. Numbers are append-only. */
export const ROLES = Object.freeze({ account: 1, vendor: 2, device: 3, newOwner: 4, newKey: 5, governor: 6, guardian: 7, party: 8 })
/** What a key of an account may do: sign transactions, sign commands. Bits are append-only. */
export const RIGHTS = Object.freeze({ admin: 1, invoke: 2 })

/** The longest envelope. */
export const MAX_TX = 65536
const VERSION = 1
const MAX_KEYS = 16
const MAX_SIGS = 2 * MAX_KEYS + 1
const MAX_TARGETS = 32
const MAX_DELAY = 7776000
const MAX_UNITS = 1000000
const MAX_PERIOD = 2592000
const MAX_HEIGHT = 2 ** 53
const MAX_PLATFORMS = 8

/** @type {import('./record.js').Table} */
const accountKeyTable = { key: [1, publicKey], rights: [2, uint(255)] }
/** A list of an account's keys, as a field. */
export const accountKeys = list(record(accountKeyTable))
/** An account's guardians, as a field. */
export const guardians = record({ keys: [1, list(publicKey)], threshold: [2, uint(255)], delay: [3, uint()] })

/** @type {import('./record.js').Table} */
const targetTable = { device: [1, bytes(20)], epoch: [2, uint()], endpoint: [3, text], methods: [4, list(text)] }

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
 * The changes that governors can propose; numbers are append-only.
 * @type {Record<string, {number: number, table: import('./record.js').Table, check(a: any): void}>}
 */
const changes = {
  addValidator: {
    number: 1,
    table: { name: [1, text], key: [2, bytes(32)], proof: [3, bytes(64)] },
    check(a) {
      checkName(a.name)
      checkValidator(a.key)
    },
  },
  removeValidator: { number: 2, table: { key: [1, bytes(32)] }, check: (a) => checkValidator(a.key) },
  replaceKey: {
    number: 3,
    table: { old: [1, bytes(32)], new: [2, bytes(32)], proof: [3, bytes(64)] },
    check(a) {
      checkValidator(a.old)
      if (equal(a.old, a.new)) throw malformed('a key cannot replace itself')
      checkValidator(a.new)
    },
  },
  admitVendor: {
    number: 4,
    table: { name: [1, text], keys: [2, list(publicKey)], threshold: [3, uint(255)], quota: [4, uint()] },
    check(a) {
      checkName(a.name)
      const n = a.keys.length
      if (n === 0 || n > MAX_KEYS || a.threshold === 0 || a.threshold > n) throw malformed(`threshold ${a.threshold} of ${n} keys`)
      a.keys.forEach((/** @type {PublicKey} */ k, /** @type {number} */ i) => {
        fullKey(k, "a vendor's")
        if (a.keys.slice(0, i).some((/** @type {PublicKey} */ had) => equal(keyId(had), keyId(k)))) throw malformed('a key stands twice')
      })
    },
  },
  suspendVendor: { number: 5, table: { vendor: [1, bytes(20)] }, check: (a) => checkVendor(a.vendor) },
  setQuota: { number: 6, table: { vendor: [1, bytes(20)], quota: [2, uint()] }, check: (a) => checkVendor(a.vendor) },
  setParams: {
    number: 7,
    table: { base: [1, uint()], perDevice: [2, uint()], period: [3, uint()] },
    check(a) {
      if (a.base < 4 || a.base > MAX_UNITS || a.perDevice > MAX_UNITS) throw malformed('units of a quota')
      if (a.period < 60 || a.period > MAX_PERIOD) throw malformed(`a period of ${a.period} s`)
    },
  },
  scheduleUpgrade: {
    number: 8,
    table: { name: [1, text], height: [2, uint()], hashes: [3, list(bytes(32))], url: [4, text, 'optional'] },
    check(a) {
      const n = a.hashes.length
      if (!validName(a.name) || a.height === 0 || a.height > MAX_HEIGHT || n === 0 || n > MAX_PLATFORMS) throw malformed('an upgrade without name, height or programs')
      a.hashes.forEach((/** @type {Uint8Array} */ h, /** @type {number} */ i) => {
        if (isZero(h) || (i > 0 && compare(a.hashes[i - 1], h) >= 0)) throw malformed('hashes of programs missing, repeated or out of order')
      })
      if (a.url && (a.url.length > 256 || !/^https:\/\/[!-~]*$/.test(a.url))) throw malformed('no https address')
    },
  },
  cancelUpgrade: {
    number: 9,
    table: { name: [1, text] },
    check(a) {
      if (!validName(a.name)) throw malformed('no upgrade')
    },
  },
  setGovernors: {
    number: 10,
    table: { threshold: [1, uint(255)], governors: [2, list(record({ name: [1, text], key: [2, publicKey], proof: [3, bytes(), 'optional'] }))] },
    check(a) {
      const n = a.governors.length
      if (n === 0 || n > MAX_KEYS || a.threshold === 0 || a.threshold > n) throw malformed(`threshold ${a.threshold} of ${n} governors`)
      a.governors.forEach((/** @type {{name: string, key: PublicKey, proof?: Uint8Array}} */ g, /** @type {number} */ i) => {
        checkName(g.name)
        fullKey(g.key, "a governor's")
        if (g.proof && g.proof.length !== 64) throw malformed(`a proof of ${g.proof.length} bytes`)
        if (a.governors.slice(0, i).some((/** @type {{key: PublicKey}} */ had) => equal(keyId(had.key), keyId(g.key)))) throw malformed('a key stands twice')
      })
    },
  },
}
/** @type {import('./record.js').Table} */
const changeTable = Object.fromEntries(Object.entries(changes).map(([name, c]) => [name, [c.number, record(c.table), 'optional']]))

/** A change of a device that names it and an epoch. @type {{table: import('./record.js').Table, check(p: any): void}} */
const deviceEpoch = {
  table: { device: [1, bytes(20)], epoch: [2, uint()] },
  check(p) {
    if (isZero(p.device) || p.epoch === 0) throw malformed('no device or epoch')
  },
}

/** What names a key version and nothing else. @type {{table: import('./record.js').Table, check(p: any): void}} */
const keyVersion = {
  table: { version: [1, uint()] },
  check(p) {
    if (p.version === 0) throw malformed('no key version')
  },
}
/** An empty payload. @type {{table: import('./record.js').Table, check(p: any): void}} */
const empty = { table: {}, check() {} }

/**
 * The payloads: what they hold and what can be checked without the ledger.
 * @type {Record<number, {table: import('./record.js').Table, check(p: any): void}>}
 */
const payloads = {
  [TX_KINDS['register-device']]: {
    table: { key: [1, publicKey], sealKey: [2, bytes(32)], model: [3, text] },
    check(p) {
      fullKey(p.key, 'a device')
      if (isZero(p.sealKey)) throw malformed('no X25519 key')
      if (!validModel(p.model)) throw malformed('model must be 1 to 64 printable ASCII characters')
    },
  },
  [TX_KINDS.claim]: {
    table: { device: [1, bytes(20)], epoch: [2, uint()], root: [3, publicKey, 'optional'] },
    check(p) {
      if (isZero(p.device) || p.epoch === 0) throw malformed('no device or epoch')
      if (p.root) fullKey(p.root, 'the root of an account')
    },
  },
  [TX_KINDS.transfer]: {
    table: { device: [1, bytes(20)], epoch: [2, uint()], to: [3, bytes(20)], root: [4, publicKey, 'optional'] },
    check(p) {
      if (isZero(p.device) || p.epoch === 0 || isZero(p.to)) throw malformed('no device, epoch or new owner')
      if (!p.root) return
      if (!equal(accountId(p.root), p.to)) throw malformed("root key does not belong to the new owner's id")
      fullKey(p.root, 'the root of an account')
    },
  },
  [TX_KINDS['rotate-keys']]: {
    table: { version: [1, uint()], keys: [2, accountKeys], threshold: [3, uint(255)] },
    check: checkKeySet,
  },
  [TX_KINDS['create-grant']]: {
    table: { grantee: [1, publicKey], targets: [2, list(record(targetTable))], notBefore: [3, uint()], notAfter: [4, uint()] },
    check(p) {
      validate(p.grantee)
      if (p.targets.length === 0 || p.targets.length > MAX_TARGETS) throw malformed(`${p.targets.length} targets, want 1 to ${MAX_TARGETS}`)
      if (p.notAfter === 0 || p.notAfter < p.notBefore) throw malformed('ends before it begins, or never')
      for (const t of p.targets) {
        if (isZero(t.device) || t.epoch === 0 || !validName(t.endpoint)) throw malformed('target without device, epoch or endpoint')
        if (!validMethods(t.methods)) throw malformed('methods are no names, repeated, out of order or none')
      }
    },
  },
  [TX_KINDS['revoke-grant']]: {
    table: { grant: [1, bytes(32)] },
    check(p) {
      if (isZero(p.grant)) throw malformed('no grant')
    },
  },
  [TX_KINDS.propose]: {
    table: { until: [1, uint()], change: [2, record(changeTable)] },
    check(p) {
      if (p.until === 0) throw malformed('a proposal without an end')
      const set = Object.keys(p.change)
      if (set.length !== 1) throw malformed('a proposal has exactly one change')
      changes[set[0]].check(p.change[set[0]])
    },
  },
  [TX_KINDS.approve]: {
    table: { proposal: [1, bytes(32)] },
    check(p) {
      if (isZero(p.proposal)) throw malformed('no proposal')
    },
  },
  [TX_KINDS.release]: deviceEpoch,
  [TX_KINDS['report-lost']]: deviceEpoch,
  [TX_KINDS['report-found']]: deviceEpoch,
  [TX_KINDS['set-guardians']]: {
    table: { version: [1, uint()], guardians: [2, guardians, 'optional'] },
    check(p) {
      keyVersion.check(p)
      if (p.guardians) checkGuardians(p.guardians)
    },
  },
  [TX_KINDS['start-recovery']]: {
    table: { version: [1, uint()], keys: [2, accountKeys], threshold: [3, uint(255)] },
    check: checkKeySet,
  },
  [TX_KINDS['cancel-recovery']]: keyVersion,
  [TX_KINDS['finish-recovery']]: keyVersion,
  [TX_KINDS.freeze]: empty,
  [TX_KINDS.unfreeze]: empty,
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

/**
 * What the ledger asks of every set of keys but its first.
 * @param {{version: number | bigint, keys: AccountKey[], threshold: number}} p
 */
export function checkKeySet(p) {
  if (p.version === 0) throw malformed('no key version')
  if (p.keys.length === 0 || p.keys.length > MAX_KEYS) throw malformed(`${p.keys.length} keys, want 1 to ${MAX_KEYS}`)
  let admins = 0
  p.keys.forEach(({ key, rights }, i) => {
    validate(key)
    const id = keyId(key)
    if (p.keys.slice(0, i).some((k) => equal(keyId(k.key), id))) throw malformed('a key stands twice')
    if (rights === 0 || (rights & ~(RIGHTS.admin | RIGHTS.invoke)) !== 0) throw malformed('a key has no rights or unknown ones')
    if (invokeOnly(key.alg) && rights !== RIGHTS.invoke) throw new HosError('invoke_only', `a key of algorithm ${key.alg} has rights ${rights}`)
    if (rights & RIGHTS.admin) admins++
  })
  if (p.threshold === 0 || p.threshold > admins) throw malformed(`threshold ${p.threshold} cannot be reached by ${admins} admin keys`)
}

/**
 * What the ledger asks of guardians.
 * @param {Guardians} g
 */
export function checkGuardians(g) {
  const n = g.keys.length
  if (n === 0 || n > MAX_KEYS || g.threshold === 0 || g.threshold > n) throw malformed(`threshold ${g.threshold} of ${n} guardians`)
  if (g.delay === 0 || g.delay > MAX_DELAY) throw malformed(`delay of ${g.delay} s`)
  g.keys.forEach((k, i) => {
    fullKey(k, 'a guardian')
    if (g.keys.slice(0, i).some((had) => equal(keyId(had), keyId(k)))) throw malformed('a guardian stands twice')
  })
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

/** @param {PublicKey} key @param {string} as */
function fullKey(key, as) {
  validate(key)
  if (invokeOnly(key.alg)) throw new HosError('invoke_only', `a key of algorithm ${key.alg} cannot be ${as}`)
}

/** @param {string} name */
function checkName(name) {
  if (!validModel(name)) throw malformed('a name must be 1 to 64 printable ASCII characters')
}

/** @param {Uint8Array} key */
function checkValidator(key) {
  if (isZero(key)) throw malformed("no validator's key")
}

/** @param {Uint8Array} vendor */
function checkVendor(vendor) {
  if (isZero(vendor)) throw malformed('no vendor')
}

/** @param {Uint8Array} b */
const isZero = (b) => b.every((x) => x === 0)

/** @param {string} detail */
const malformed = (detail) => new HosError('malformed_tx', detail)

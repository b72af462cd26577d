/** What transactions of each kind hold: docs/spec/tx.md. */
import { changes, changeTable } from './change.js'
import { checkVendorKeys, fullKey, isZero, malformed, MAX_KEYS } from './check.js'
import { compare, equal } from './codec.js'
import { HosError } from './error.js'
import { accountId, deviceId, keyId } from './id.js'
import { invokeOnly, publicKey, validate } from './key.js'
import { validAddr, validMethods, validModel, validName, validUrl } from './name.js'
import { bytes, list, record, text, uint } from './record.js'
import { compareSemver, parseSemver } from './semver.js'

/** @typedef {import('./key.js').PublicKey} PublicKey */
/** A key of an account. @typedef {{key: PublicKey, rights: number}} AccountKey */
/** Who can recover an account, and after how many seconds. @typedef {{keys: PublicKey[], threshold: number, delay: number | bigint}} Guardians */

/** The kinds of transactions. Numbers are append-only. */
export const TX_KINDS = Object.freeze({
  'register-device': 1, claim: 2, transfer: 3, 'rotate-keys': 4, 'create-grant': 5, 'revoke-grant': 6, propose: 7, approve: 8,
  release: 9, 'report-lost': 10, 'report-found': 11,
  'set-guardians': 12, 'start-recovery': 13, 'cancel-recovery': 14, 'finish-recovery': 15, freeze: 16, unfreeze: 17,
  'register-batch': 18, 'set-policy': 19, 'set-addresses': 20,
  'delegate-grant': 21,
  'open-seal': 22, 'approve-seal': 23, 'anchor-receipts': 24,
  'publish-release': 25, 'revoke-release': 26, 'publish-app': 27, 'revoke-app': 28, 'rotate-vendor-keys': 29,
})

/** What a key of an account may do: sign transactions, sign commands. Bits are append-only. */
export const RIGHTS = Object.freeze({ admin: 1, invoke: 2 })

const MAX_TARGETS = 32
const MAX_WINDOWS = 14
const MAX_USES = 1_000_000
const MAX_RATE = 64
const MAX_PERIOD = 2678400
const MAX_DEPTH = 4
const MINUTES_OF_DAY = 1440
const MAX_DELAY = 7776000
const MAX_BATCH = 1 << 24
const MAX_PATH = 24
const MAX_RULES = 64
const MAX_ADDRS = 8
const MAX_ARTEFACT = 2 ** 34
const MAX_URLS = 4
const MAX_FORM = 4

/** @type {import('./record.js').Table} */
const accountKeyTable = { key: [1, publicKey], rights: [2, uint(255)] }

/** A list of an account's keys, as a field. */
export const accountKeys = list(record(accountKeyTable))

/** An account's guardians, as a field. */
export const guardians = record({ keys: [1, list(publicKey)], threshold: [2, uint(255)], delay: [3, uint()] })

/** @type {import('./record.js').Table} */
const targetTable = { device: [1, bytes(20)], epoch: [2, uint()], endpoint: [3, text], methods: [4, list(text)] }

/** That a device is one of a vendor's batch. @type {import('./record.js').Table} */
const memberTable = {
  vendor: [1, bytes(20)], root: [2, bytes(32)], index: [3, uint()], key: [4, publicKey], sealKey: [5, bytes(32)], path: [6, list(bytes(32))],
}

/** @type {import('./record.js').Table} */
const ruleTable = { endpoint: [1, text], method: [2, text], class: [3, uint(255)], signers: [4, uint(255)] }

/** @type {import('./record.js').Table} */
const grantTable = {
  grantee: [1, publicKey],
  targets: [2, list(record(targetTable))],
  notBefore: [3, uint()],
  notAfter: [4, uint()],
  windows: [5, list(record({ day: [1, uint(255)], from: [2, uint(65535)], to: [3, uint(65535)] })), 'optional'],
  zone: [6, text, 'optional'],
  uses: [7, uint(), 'optional'],
  rate: [8, record({ count: [1, uint(65535)], period: [2, uint(4294967295)] }), 'optional'],
  depth: [9, uint(255), 'optional'],
  private: [10, record({ digest: [1, bytes(32)], devices: [2, list(record({ device: [1, bytes(20)], epoch: [2, uint()] }))] }), 'optional'],
}

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

/** The file of a release, as a field. */
const artefact = record({ sha256: [1, bytes(32)], size: [2, uint()], urls: [3, list(text), 'optional'] })

/** An empty payload. @type {{table: import('./record.js').Table, check(p: any): void}} */
const empty = { table: {}, check() {} }

/**
 * The payloads: what they hold and what can be checked without the ledger.
 * @type {Record<number, {table: import('./record.js').Table, check(p: any): void}>}
 */
export const payloads = {
  [TX_KINDS['register-device']]: {
    table: { key: [1, publicKey], sealKey: [2, bytes(32)], model: [3, text] },
    check(p) {
      fullKey(p.key, 'a device')
      if (isZero(p.sealKey)) throw malformed('no X25519 key')
      if (!validModel(p.model)) throw malformed('model must be 1 to 64 printable ASCII characters')
    },
  },
  [TX_KINDS.claim]: {
    table: { device: [1, bytes(20)], epoch: [2, uint()], root: [3, publicKey, 'optional'], batch: [4, record(memberTable), 'optional'] },
    check(p) {
      if (isZero(p.device) || p.epoch === 0) throw malformed('no device or epoch')
      if (p.batch) checkMember(p.batch, p.device)
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
    table: grantTable,
    check: checkGrant,
  },
  [TX_KINDS['delegate-grant']]: {
    table: { parent: [1, bytes(32)], grant: [2, record(grantTable), 'optional'], revoke: [3, bytes(32), 'optional'] },
    check(p) {
      if (isZero(p.parent)) throw malformed('no parent')
      if (!p.grant === !p.revoke) throw malformed('either a grant, or one that ends')
      if (p.revoke) {
        if (isZero(p.revoke) || equal(p.revoke, p.parent)) throw malformed('no grant that ends, or the parent itself')
        return
      }
      if (p.grant.private || (p.grant.depth ?? 0) >= MAX_DEPTH) throw malformed('a private grant, or one of the greatest depth, under another')
      checkGrant(p.grant)
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
  [TX_KINDS['register-batch']]: {
    table: { root: [1, bytes(32)], size: [2, uint()], model: [3, text] },
    check(p) {
      if (isZero(p.root)) throw malformed('no root')
      if (p.size === 0 || p.size > MAX_BATCH) throw malformed(`${p.size} devices, want 1 to ${MAX_BATCH}`)
      if (!validModel(p.model)) throw malformed('model must be 1 to 64 printable ASCII characters')
    },
  },
  [TX_KINDS['set-policy']]: {
    table: { device: [1, bytes(20)], epoch: [2, uint()], version: [3, uint()], rules: [4, list(record(ruleTable))] },
    check(p) {
      deviceEpoch.check(p)
      if (p.version === 0) throw malformed('no policy version')
      if (p.rules.length > MAX_RULES) throw malformed(`${p.rules.length} rules, at most ${MAX_RULES}`)
      p.rules.forEach(checkRule)
    },
  },
  [TX_KINDS['set-addresses']]: {
    table: { device: [1, bytes(20)], epoch: [2, uint()], addrs: [3, list(text)] },
    check(p) {
      deviceEpoch.check(p)
      if (p.addrs.length > MAX_ADDRS) throw malformed(`${p.addrs.length} addresses, at most ${MAX_ADDRS}`)
      p.addrs.forEach((/** @type {string} */ a, /** @type {number} */ i) => {
        if (!validAddr(a) || p.addrs.indexOf(a) !== i) throw malformed(`address ${a}`)
      })
    },
  },
  [TX_KINDS['open-seal']]: {
    table: { device: [1, bytes(20)], epoch: [2, uint()], command: [3, bytes(32)], needed: [4, uint(255)], until: [5, uint()] },
    check(p) {
      deviceEpoch.check(p)
      if (isZero(p.command) || p.until === 0) throw malformed('no command or end')
      if (p.needed === 0 || p.needed > MAX_KEYS) throw malformed('a seal needs 1 to 16 approvals')
    },
  },
  [TX_KINDS['approve-seal']]: {
    table: { device: [1, bytes(20)], epoch: [2, uint()], command: [3, bytes(32)] },
    check(p) {
      deviceEpoch.check(p)
      if (isZero(p.command)) throw malformed('no command')
    },
  },
  [TX_KINDS['anchor-receipts']]: {
    table: { device: [1, bytes(20)], epoch: [2, uint()], from: [3, uint()], to: [4, uint()], head: [5, bytes(32)] },
    check(p) {
      deviceEpoch.check(p)
      if (p.from === 0 || p.to < p.from) throw malformed('counters do not rise from 1 on')
      if (isZero(p.head)) throw malformed('no head')
    },
  },
  [TX_KINDS['publish-release']]: {
    table: { model: [1, text], version: [2, text], artefact: [3, artefact], from: [4, text, 'optional'], floor: [5, text, 'optional'] },
    check(p) {
      checkRelease(p)
      for (const bound of [p.from, p.floor]) {
        if (bound !== undefined && compareSemver(parseSemver(bound), parseSemver(p.version)) > 0) throw malformed('a bound above the version itself')
      }
      checkArtefact(p.artefact)
    },
  },
  [TX_KINDS['revoke-release']]: { table: { model: [1, text], version: [2, text] }, check: checkRelease },
  [TX_KINDS['publish-app']]: {
    table: { app: [1, text], version: [2, text], form: [3, uint(255)], artefact: [4, artefact], permissions: [5, list(text), 'optional'] },
    check(p) {
      checkApp(p)
      if (p.form === 0 || p.form > MAX_FORM) throw malformed('an unknown form of app')
      if (p.permissions && !validMethods(p.permissions)) throw malformed('permissions are no names, repeated, out of order or none')
      checkArtefact(p.artefact)
    },
  },
  [TX_KINDS['revoke-app']]: { table: { app: [1, text], version: [2, text] }, check: checkApp },
  [TX_KINDS['rotate-vendor-keys']]: {
    table: { version: [1, uint()], keys: [2, list(publicKey)], threshold: [3, uint(255)] },
    check(p) {
      keyVersion.check(p)
      checkVendorKeys(p)
    },
  },
}

/** @param {{sha256: Uint8Array, size: number | bigint, urls?: string[]}} a */
function checkArtefact({ sha256, size, urls }) {
  if (isZero(sha256) || size === 0 || size > MAX_ARTEFACT) throw malformed('no hash, no size or one of more than 16 GiB')
  if (!urls) return
  if (urls.length === 0 || urls.length > MAX_URLS || !urls.every((u, i) => validUrl(u) && (i === 0 || urls[i - 1] < u))) {
    throw malformed('addresses that are none, too many, repeated or out of order')
  }
}

/** @param {{version: string, [name: string]: any}} p what names a release or an app */
function checkRelease(p) {
  if (!validModel(p.model)) throw malformed('model must be 1 to 64 printable ASCII characters')
  parseSemver(p.version)
}

/** @param {{version: string, [name: string]: any}} p */
function checkApp(p) {
  if (!validName(p.app)) throw malformed("an app's name must be 1 to 64 of a-z 0-9 _ - .")
  parseSemver(p.version)
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

/**
 * What the ledger asks of a grant.
 * @param {any} p
 */
function checkGrant(p) {
  if (p.private) return checkPrivate(p)
  validate(p.grantee)
  if (p.targets.length === 0 || p.targets.length > MAX_TARGETS) throw malformed(`${p.targets.length} targets, want 1 to ${MAX_TARGETS}`)
  if (p.notAfter === 0 || p.notAfter < p.notBefore) throw malformed('ends before it begins, or never')
  for (const t of p.targets) {
    if (isZero(t.device) || t.epoch === 0 || !validName(t.endpoint)) throw malformed('target without device, epoch or endpoint')
    if (!validMethods(t.methods)) throw malformed('methods are no names, repeated, out of order or none')
  }
  checkWindows(p.windows ?? [], p.zone ?? '')
  if ((p.uses ?? 0) > MAX_USES) throw malformed(`${p.uses} uses, at most ${MAX_USES}`)
  const { rate } = p
  if (rate && (rate.count === 0 || rate.count > MAX_RATE || rate.period === 0 || rate.period > MAX_PERIOD)) throw malformed(`${rate.count} uses in ${rate.period} s`)
  if ((p.uses || rate) && p.targets.some((/** @type {any} */ t) => !equal(t.device, p.targets[0].device))) throw malformed('uses or rate over more than one device')
  if ((p.depth ?? 0) > MAX_DEPTH) throw malformed(`depth ${p.depth}, at most ${MAX_DEPTH}`)
  if (p.depth && invokeOnly(p.grantee.alg)) throw new HosError('invoke_only', `a key of algorithm ${p.grantee.alg} cannot give grants on`)
}

/** @param {{day: number, from: number, to: number}[]} windows @param {string} zone */
function checkWindows(windows, zone) {
  if (windows.length > MAX_WINDOWS) throw malformed(`${windows.length} windows, at most ${MAX_WINDOWS}`)
  if ((windows.length === 0) !== (zone === '')) throw malformed('windows and their zone go together')
  if (zone && (zone.length > 64 || zone === 'Local' || !/^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*$/.test(zone))) throw malformed('time zone')
  windows.forEach((w, i) => {
    if (w.day < 1 || w.day > 7 || w.from >= w.to || w.to > MINUTES_OF_DAY) throw malformed('a window out of its range')
    const last = windows[i - 1]
    if (last && (w.day < last.day || (w.day === last.day && w.from <= last.to))) throw malformed('windows overlap, touch or are out of order')
  })
}

/** A grant of which the ledger knows no more than digest and devices. @param {any} p */
function checkPrivate(p) {
  const { private: sealed, grantee, targets, notBefore, notAfter, ...rest } = p
  const empty = grantee.alg === 0 && grantee.bytes.length === 0 && targets.length === 0 && notBefore === 0 && notAfter === 0
  if (!empty || Object.values(rest).some((v) => v !== undefined)) throw malformed('a private grant with more than its digest and devices')
  const { digest: sum, devices } = sealed
  if (isZero(sum) || devices.length === 0 || devices.length > MAX_TARGETS) throw malformed('a private grant without digest or devices')
  devices.forEach((/** @type {any} */ d, /** @type {number} */ i) => {
    if (isZero(d.device) || d.epoch === 0) throw malformed('a private grant without device or epoch')
    if (i > 0 && compare(devices[i - 1].device, d.device) >= 0) throw malformed('devices repeated or out of order')
  })
}

/** @param {any} m @param {Uint8Array} device */
function checkMember(m, device) {
  if (isZero(m.vendor) || isZero(m.root)) throw malformed('no batch')
  if (m.index >= MAX_BATCH || m.path.length > MAX_PATH) throw malformed(`index ${m.index} with a path of ${m.path.length}`)
  if (isZero(m.sealKey)) throw malformed('no X25519 key')
  fullKey(m.key, 'a device')
  if (!equal(deviceId(m.key), device)) throw malformed("the batch's leaf is of another device")
}

/** @param {any} r @param {number} i @param {any[]} all */
function checkRule(r, i, all) {
  if (!validName(r.endpoint) || !validName(r.method)) throw malformed(`endpoint ${r.endpoint}, method ${r.method}`)
  if (r.class > 3 || r.signers === 0 || r.signers > MAX_KEYS) throw malformed(`class ${r.class} with ${r.signers} signers`)
  const had = all[i - 1]
  if (had && !(had.endpoint < r.endpoint || (had.endpoint === r.endpoint && had.method < r.method))) throw malformed('rules repeated or out of order')
}

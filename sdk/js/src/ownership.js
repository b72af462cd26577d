/**
 * What may be believed of the ledger's records without trusting whoever shows
 * them: docs/spec/state.md, "What a verifier outside checks". Every function
 * takes `get`, which gives a record's bytes or null: client.record is one.
 */
import { compare, equal } from './codec.js'
import { HosError } from './error.js'
import { accountId, accountText, deviceId, deviceText, hex, keyId } from './id.js'
import { invokeOnly, publicKey, sameKey, verify } from './key.js'
import { bytes, flag, pack, record, text, uint, unpack } from './record.js'
import { accountKeys, decodeTx, guardians, MAX_TX, RIGHTS, ROLES, TX_KINDS, txDigest } from './tx.js'

/** @typedef {import('./key.js').PublicKey} PublicKey */
/** @typedef {import('./tx.js').Tx} Tx */
/** Reads a record; null if there is none. @typedef {(key: Uint8Array) => Promise<Uint8Array | null> | Uint8Array | null} Get */
/** The keys of an account at one version. @typedef {{version: number | bigint, threshold: number, keys: import('./tx.js').AccountKey[], guardians?: import('./tx.js').Guardians}} KeySet */
/** What somebody holds to be an account's keys. @typedef {{account: Uint8Array, keys: KeySet}} Pin */
/** What somebody holds to be true about a device's owner. @typedef {{device: Uint8Array, epoch: number | bigint, owner: Pin}} Ownership */
/** One role that must sign. @typedef {{role: number, keys: PublicKey[], threshold: number}} Required */

const MAX_RECORD = MAX_TX + 1024
const MAX_FOLLOW = 1024

/** A set of keys, as a record. @type {import('./record.js').Table} */
export const keySetTable = { version: [1, uint()], threshold: [2, uint(255)], keys: [3, accountKeys], guardians: [4, guardians, 'optional'] }
/** @type {import('./record.js').Table} */
const accountTable = {
  root: [1, publicKey], keys: [2, record(keySetTable)], sequence: [3, uint()],
  frozen: [4, flag, 'optional'], recovery: [5, record({ version: [1, uint()], due: [2, uint()] }), 'optional'],
  devices: [6, uint(), 'optional'], period: [7, uint(), 'optional'], used: [8, uint(), 'optional'],
}
/** @type {import('./record.js').Table} */
const deviceTable = {
  key: [1, publicKey], sealKey: [2, bytes(32)], vendor: [3, bytes(20)], model: [4, text], epoch: [5, uint()], owner: [6, bytes(20), 'optional'],
  lost: [7, flag, 'optional'],
  period: [16, uint(), 'optional'], moves: [17, uint(), 'optional'],
}
/** @type {import('./record.js').Table} */
const grantTable = { issuer: [1, bytes(20)], status: [2, uint(255)], tx: [3, bytes()], next: [4, uint(), 'optional'], given: [5, uint(), 'optional'] }

/** Where an account's record stands. @param {Uint8Array} id */
export const accountKey = (id) => recordKey('a', id)
/** Where a device's record stands. @param {Uint8Array} id */
export const deviceKey = (id) => recordKey('d', id)
/** Where a grant's record stands. @param {Uint8Array} id */
export const grantKey = (id) => recordKey('g', id)
/** Where the transaction stands that made a version of an account's keys. @param {Uint8Array} id @param {number | bigint} version */
export const keyChangeKey = (id, version) => recordKey('k', id, version)
/** Where the transaction stands that began an epoch of a device. @param {Uint8Array} id @param {number | bigint} epoch */
export const ownerChangeKey = (id, epoch) => recordKey('o', id, epoch)

/** The pin of an account whose first key this is. @param {PublicKey} root @returns {Pin} */
export const rootPin = (root) => ({
  account: accountId(root),
  keys: { version: 0, threshold: 1, keys: [{ key: root, rights: RIGHTS.admin | RIGHTS.invoke }] },
})

/**
 * Moves a pin to the account's present keys along signed changes; the records
 * must show exactly what these give.
 * @param {Get} get
 * @param {Uint8Array} chain
 * @param {Pin} pin
 * @returns {Promise<Pin>}
 */
export async function followKeys(get, chain, pin) {
  const { keys } = await readRecord(get, accountTable, accountKey(pin.account), 'no_account')
  const steps = BigInt(keys.version) - BigInt(pin.keys.version)
  if (steps < 0n || steps > MAX_FOLLOW) throw forged(`key version of ${accountText(pin.account)} went from ${pin.keys.version} to ${keys.version}`)
  let next = pin
  for (let i = 0n; i < steps; i++) next = await stepKeys(get, chain, next)
  if (!sameKeySet(next.keys, keys)) throw forged(`keys of ${accountText(pin.account)} were not signed for`)
  return next
}

/**
 * Checks that a claim binds a device to an owner, whose keys the caller has
 * pinned, and gives the ownership that it begins.
 * @param {Uint8Array} chain
 * @param {PublicKey} device
 * @param {Pin} owner
 * @param {Uint8Array} envelope
 * @returns {Ownership}
 */
export function verifyClaim(chain, device, owner, envelope) {
  const t = decodeTx(envelope)
  checkClaim(t, device, owner.account)
  verifySigs(t, chain, claimSigners(device, owner.keys))
  return { device: t.body.payload.device, epoch: t.body.payload.epoch, owner }
}

/**
 * Moves an ownership to the present by checking the owners' signatures under
 * every transfer, and then the last owner's key changes. A release that the
 * owner signed ends it, whatever came after: `released`.
 * @param {Get} get
 * @param {Uint8Array} chain
 * @param {Ownership} own
 * @returns {Promise<Ownership>}
 */
export async function followOwner(get, chain, own) {
  const dev = await readDevice(get, own.device)
  const steps = BigInt(dev.epoch) - BigInt(own.epoch)
  if (steps < 0n || steps > MAX_FOLLOW) throw forged(`epoch of ${deviceText(own.device)} went from ${own.epoch} to ${dev.epoch}`)
  let next = own
  for (let i = 0n; i < steps; i++) next = await stepOwner(get, chain, next)
  if (!dev.owner || !equal(dev.owner, next.owner.account)) throw forged(`nobody signed for the owner that ${deviceText(own.device)} shows`)
  return { ...next, owner: await followKeys(get, chain, next.owner) }
}

/**
 * Checks from an account's first key alone that a device which a node names is
 * the account's: its key hashes to its id, and the claim or transfer that began
 * its present epoch is signed by the account. What it says of the model is the
 * ledger's word only.
 * @param {Get} get
 * @param {Uint8Array} chain
 * @param {{device: Uint8Array, root: PublicKey}} of device id, the account's first key
 * @returns {Promise<Ownership & {public: PublicKey, model: string}>}
 */
export async function verifyOwnership(get, chain, { device, root }) {
  const dev = await readDevice(get, device)
  const start = rootPin(root)
  if (!dev.owner || !equal(dev.owner, start.account)) throw new HosError('not_owner', `${deviceText(device)} is not the account's`)
  const t = decodeChange(await readChange(get, ownerChangeKey(device, dev.epoch)), 'owner change')
  const p = t.body.payload
  if (BigInt(p.epoch ?? 0) !== BigInt(dev.epoch)) throw forged(`epoch ${dev.epoch} of ${deviceText(device)} was begun by another transaction`)
  let owner
  if (t.body.kind === TX_KINDS.claim) {
    checkClaim(t, dev.key, start.account)
    owner = await signedAt(get, chain, t, start, (keys) => claimSigners(dev.key, keys))
  } else {
    if (t.body.kind !== TX_KINDS.transfer || !equal(p.device, device) || !equal(p.to, start.account)) throw forged('the epoch was begun by another transaction')
    owner = await signedAt(get, chain, only(t, ROLES.newOwner), start, (keys) => [admins(ROLES.newOwner, keys)])
  }
  return { device, epoch: dev.epoch, public: dev.key, model: dev.model, owner: await followKeys(get, chain, owner) }
}

/**
 * Checks that the owner's present keys signed the grant that a record shows
 * and that it is not revoked; gives what it grants.
 * @param {Uint8Array} chain
 * @param {Pin} owner
 * @param {Uint8Array} id
 * @param {Uint8Array} grantRecord the record's bytes
 * @returns {any} the payload of create-grant
 */
export function verifyGrant(chain, owner, id, grantRecord) {
  const g = unpack(grantTable, grantRecord, MAX_RECORD, 'grant')
  if (g.status !== 1) throw new HosError('grant_revoked', hex(id))
  const t = decodeChange(g.tx, 'grant')
  if (t.body.kind !== TX_KINDS['create-grant'] || !equal(txDigest(chain, t.raw), id)) throw forged(`record of grant ${hex(id)} holds another transaction`)
  if (!equal(t.body.account, owner.account) || !equal(g.issuer, owner.account)) throw new HosError('not_issuer', `grant ${hex(id)} is not by the owner`)
  asForged(`grant ${hex(id)}`, () => verifySigs(t, chain, [admins(ROLES.account, owner.keys)]))
  return t.body.payload
}

/**
 * Demands that every signature is by a required signer and valid, and that
 * each threshold is reached: `wrong_signer`, `missing_signer`.
 * @param {Tx} t
 * @param {Uint8Array} chain
 * @param {Required[]} required
 */
export function verifySigs(t, chain, required) {
  const digest = txDigest(chain, t.raw)
  for (const s of t.sigs) {
    const key = required.filter((r) => r.role === s.role).flatMap((r) => r.keys).find((k) => equal(keyId(k), s.key))
    if (!key || (invokeOnly(key.alg) && s.role !== ROLES.newKey)) throw new HosError('wrong_signer', `a key may not sign as role ${s.role}`)
    verify(key, digest, s.bytes)
  }
  for (const r of required) {
    const have = t.sigs.filter((s) => s.role === r.role).length
    if (have < r.threshold) throw new HosError('missing_signer', `${have} of ${r.threshold} signatures of role ${r.role}`)
  }
}

/** The signers of a change of keys: the present threshold, and each key that is new. @param {KeySet} old @param {{keys: import('./tx.js').AccountKey[]}} p */
export function rotationSigners(old, p) {
  const added = p.keys.map((k) => k.key).filter((k) => !old.keys.some((o) => sameKey(o.key, k)))
  return [admins(ROLES.account, old), { role: ROLES.newKey, keys: added, threshold: added.length }]
}

/** The signers of a claim. @param {PublicKey} device @param {KeySet} owner */
export const claimSigners = (device, owner) => [admins(ROLES.account, owner), { role: ROLES.device, keys: [device], threshold: 1 }]

/** The threshold of an account's admin keys, never below one. @param {number} role @param {KeySet} set @returns {Required} */
export const admins = (role, set) => ({
  role,
  keys: set.keys.filter((k) => k.rights & RIGHTS.admin).map((k) => k.key),
  threshold: Math.max(1, set.threshold),
})

/** @param {Get} get @param {Uint8Array} chain @param {Pin} pin @returns {Promise<Pin>} */
async function stepKeys(get, chain, pin) {
  const version = BigInt(pin.keys.version) + 1n
  const what = `key change of ${accountText(pin.account)}`
  const t = decodeChange(await readChange(get, keyChangeKey(pin.account, version)), what)
  const p = t.body.payload
  if (!equal(t.body.account, pin.account)) throw forged(`${what} is another transaction`)
  const { signers, keys } = asForged(what, () => keyChange(pin.keys, t.body))
  asForged(what, () => verifySigs(t, chain, signers))
  if (BigInt(p.version) !== version) throw forged(`${what}: version ${p.version}, next is ${version}`)
  return { account: pin.account, keys: { ...keys, version: p.version } }
}

/**
 * Who must sign a change of keys, and what it makes of the keys before it. A
 * recovery is signed by the guardians that these had named.
 * @param {KeySet} old
 * @param {import('./tx.js').TxBody} body
 * @returns {{signers: Required[], keys: KeySet}}
 */
export function keyChange(old, { kind, payload: p }) {
  const own = [admins(ROLES.account, old)]
  const { guardians: had, ...rest } = old
  switch (kind) {
    case TX_KINDS['rotate-keys']:
      return { signers: rotationSigners(old, p), keys: { ...old, threshold: p.threshold, keys: p.keys } }
    case TX_KINDS['set-guardians']:
      return { signers: own, keys: p.guardians ? { ...rest, guardians: p.guardians } : rest }
    case TX_KINDS['cancel-recovery']:
      return { signers: own, keys: old }
    case TX_KINDS['start-recovery']:
      if (!had) throw forged('a recovery of an account without guardians')
      return { signers: recoverySigners(had, p), keys: { ...old, threshold: p.threshold, keys: p.keys } }
    default:
      throw forged('the transaction changes no keys')
  }
}

/** The signers of a recovery: the guardians' threshold, and each key of the new set. @param {import('./tx.js').Guardians} g @param {{keys: import('./tx.js').AccountKey[]}} p @returns {Required[]} */
const recoverySigners = (g, p) => [
  { role: ROLES.newKey, keys: p.keys.map((k) => k.key), threshold: p.keys.length },
  { role: ROLES.guardian, keys: g.keys, threshold: Math.max(1, g.threshold) },
]

/** @param {Get} get @param {Uint8Array} chain @param {Ownership} own @returns {Promise<Ownership>} */
async function stepOwner(get, chain, own) {
  const epoch = BigInt(own.epoch) + 1n
  const what = `epoch ${epoch} of ${deviceText(own.device)}`
  const raw = await get(ownerChangeKey(own.device, epoch))
  if (!raw) throw forged(`no transfer begins ${what}`)
  const t = decodeChange(raw, what)
  const p = t.body.payload
  const ends = t.body.kind === TX_KINDS.release
  if ((!ends && t.body.kind !== TX_KINDS.transfer) || !equal(p.device, own.device) || BigInt(p.epoch) !== epoch || !equal(t.body.account, own.owner.account)) {
    throw forged(`${what} was begun by another transaction`)
  }
  if (ends) {
    await signedAt(get, chain, only(t, ROLES.account), own.owner, (keys) => [admins(ROLES.account, keys)])
    throw new HosError('released', `${accountText(own.owner.account)} gave up ${deviceText(own.device)}`)
  }
  await signedAt(get, chain, only(t, ROLES.account), own.owner, (keys) => [admins(ROLES.account, keys)])
  const { root } = await readRecord(get, accountTable, accountKey(p.to), 'no_account')
  const pin = rootPin(root)
  if (!equal(pin.account, p.to)) throw forged(`root key of ${accountText(p.to)} does not hash to its id`)
  const owner = await signedAt(get, chain, only(t, ROLES.newOwner), pin, (keys) => [admins(ROLES.newOwner, keys)])
  return { device: own.device, epoch: p.epoch, owner }
}

/**
 * The first key set, from the pin on, under which the signatures hold: keys may
 * have changed since, and before the transaction.
 * @param {Get} get
 * @param {Uint8Array} chain
 * @param {Tx} t
 * @param {Pin} pin
 * @param {(keys: KeySet) => Required[]} required
 * @returns {Promise<Pin>}
 */
async function signedAt(get, chain, t, pin, required) {
  for (let i = 0; i < MAX_FOLLOW; i++) {
    try {
      verifySigs(t, chain, required(pin.keys))
      return pin
    } catch (last) {
      if (!(await get(keyChangeKey(pin.account, BigInt(pin.keys.version) + 1n)))) throw forged(`signatures: ${/** @type {Error} */ (last).message}`, last)
      pin = await stepKeys(get, chain, pin)
    }
  }
  throw forged(`${accountText(pin.account)} has too many key changes to follow`)
}

/** A transfer with the signatures of one owner alone. @param {Tx} t @param {number} role */
function only(t, role) {
  if (t.sigs.some((s) => s.role !== ROLES.account && s.role !== ROLES.newOwner)) throw forged('a transfer with a signature of another role')
  return { ...t, sigs: t.sigs.filter((s) => s.role === role) }
}

/** @param {Tx} t @param {PublicKey} device @param {Uint8Array} account */
function checkClaim(t, device, account) {
  const ok = t.body.kind === TX_KINDS.claim && equal(t.body.payload.device, deviceId(device)) && equal(t.body.account, account)
  if (!ok) throw forged('not a claim of this device by this account')
}

/** @param {Get} get @param {Uint8Array} id */
async function readDevice(get, id) {
  const dev = await readRecord(get, deviceTable, deviceKey(id), 'no_device')
  if (!equal(deviceId(dev.key), id)) throw forged(`record of ${deviceText(id)} holds another key`)
  return dev
}

/** @param {Get} get @param {import('./record.js').Table} table @param {Uint8Array} key @param {string} missing */
async function readRecord(get, table, key, missing) {
  const raw = await get(key)
  if (!raw) throw new HosError(missing, `record ${hex(key)}`)
  return unpack(table, raw, MAX_RECORD, `record ${hex(key)}`)
}

/** @param {Get} get @param {Uint8Array} key */
async function readChange(get, key) {
  const raw = await get(key)
  if (!raw) throw new HosError('no_change', `record ${hex(key)}`)
  return raw
}

/** @param {Uint8Array} raw @param {string} what */
const decodeChange = (raw, what) => asForged(what, () => decodeTx(raw))

/** @param {string} letter @param {Uint8Array} id @param {number | bigint} [n] */
function recordKey(letter, id, n) {
  const out = new Uint8Array(1 + id.length + (n === undefined ? 0 : 8))
  out[0] = letter.charCodeAt(0)
  out.set(id, 1)
  if (n !== undefined) new DataView(out.buffer).setBigUint64(1 + id.length, BigInt(n))
  return out
}

/** @param {KeySet} a @param {KeySet} b */
const sameKeySet = (a, b) => compare(pack(keySetTable, a, 'key set'), pack(keySetTable, b, 'key set')) === 0

/**
 * @template T
 * @param {string} what
 * @param {() => T} f
 */
function asForged(what, f) {
  try {
    return f()
  } catch (e) {
    throw forged(`${what}: ${/** @type {Error} */ (e).message}`, e)
  }
}

/** @param {string} detail @param {unknown} [cause] */
const forged = (detail, cause) => new HosError('forged', detail, { cause })

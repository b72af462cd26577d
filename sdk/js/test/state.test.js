/**
 * chain/vectors/state.json. Executing transactions is the validators' part:
 * sequence, expiry, quota and ownership are rules of theirs. What this package
 * verifies is who signed, and what the records that were left prove; both are
 * checked here on every case where they apply.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test from 'node:test'
import { sha256 } from '@noble/hashes/sha2.js'
import {
  HosError, ROLES, TX_KINDS, accountId, accountKey, decode, decodeTx, encode, encodeTx, deviceId, deviceKey, equal, followKeys, followOwner, grantKey, keyChangeKey,
  ownerChangeKey, rootPin, txDigest, verifyClaim, verifyGrant, verifyOwnership,
} from '../src/index.js'
import { admins, claimSigners, keyChange, rotationSigners, verifySigs } from '../src/ownership.js'
import { load, unhex, x } from './vectors.js'

/** Refusals by rules of execution: the signatures are looked at before or hold, and no record proves anything. */
const validatorsOnly = {
  'register/replay': 'bad_sequence', 'register/twice': 'device_exists', 'register/quota': 'quota_exceeded',
  'claim/expired': 'tx_expired', 'claim/owned': 'device_owned',
  'revoke/twice': 'grant_revoked', 'transfer/not-owner': 'not_owner',
  'gov/off': 'governance_off', 'gov/stranger': 'no_governor', 'gov/now': 'proposal_expired', 'gov/long': 'proposal_too_long',
  'gov/add/own': 'already_approved', 'gov/add/nothing': 'no_proposal', 'gov/add/closed': 'proposal_closed', 'gov/add/again': 'validator_exists',
  'gov/add/proof': 'bad_proof', 'gov/add/full': 'too_many_validators',
  'gov/remove/nobody': 'no_validator', 'gov/remove/limit': 'power_limit', 'gov/remove/last': 'last_validator',
  'life/found/not-lost': 'not_lost', 'life/lost/twice': 'device_lost', 'life/lost/transfer': 'device_lost', 'life/lost/release': 'device_lost',
  'life/release/epoch': 'stale_epoch', 'life/release/twice': 'not_owner',
  'recover/start/no-guardians': 'no_guardians', 'recover/start/version': 'bad_key_version', 'recover/start/twice': 'recovery_open',
  'recover/start/rotate': 'recovery_open', 'recover/cancel/nothing': 'no_recovery', 'recover/cancel/late': 'recovery_due',
  'recover/finish/nothing': 'no_recovery', 'recover/finish/early': 'recovery_early', 'recover/unfreeze/not-frozen': 'not_frozen',
  'recover/freeze/twice': 'account_frozen', 'recover/freeze/grant': 'account_frozen', 'recover/freeze/rotate': 'account_frozen',
  'batch/claim/early': 'no_batch', 'batch/register/twice': 'batch_exists', 'batch/register/quota': 'quota_exceeded',
  'batch/claim/index': 'batch_index', 'batch/claim/short': 'batch_path', 'batch/claim/path': 'not_in_batch', 'batch/claim/place': 'not_in_batch',
  'batch/claim/bare': 'no_device', 'batch/claim/again': 'device_exists',
  'batch/policy/version': 'bad_policy_version', 'batch/policy/epoch': 'stale_epoch', 'batch/policy/old-owner': 'not_owner',
  'grants/delegate/longer': 'not_narrower', 'grants/delegate/windows': 'not_narrower', 'grants/delegate/uses': 'not_narrower', 'grants/delegate/depth': 'not_narrower',
  'grants/delegate/replay': 'bad_sequence', 'grants/delegate/dead': 'grant_revoked', 'grants/end/not-issuer': 'not_issuer', 'grants/end/twice': 'grant_revoked',
  'grants/private/delegate': 'not_narrower',
  'seal/open/keys': 'too_few_keys', 'seal/approve/nothing': 'no_seal', 'seal/open/long': 'seal_too_long', 'seal/open/twice': 'seal_exists',
  'seal/approve/twice': 'already_approved', 'seal/approve/late': 'seal_expired', 'seal/approve/closed': 'seal_closed', 'seal/anchor/gap': 'bad_counter',
  'seal/release/twice': 'release_exists', 'seal/release/dead': 'release_revoked', 'seal/release/nothing': 'no_release', 'seal/keys/version': 'bad_key_version',
  'gov/suspend/nobody': 'no_vendor', 'gov/suspend/register': 'vendor_suspended', 'gov/suspend/twice': 'vendor_suspended',
  'gov/admit/again': 'vendor_exists', 'gov/quota/register': 'quota_exceeded', 'gov/open/full': 'too_many_proposals', 'gov/open/expired': 'proposal_expired',
  'gov/params/over': 'account_quota_exceeded', 'gov/moves/over': 'too_many_moves',
  'gov/upgrade/late': 'upgrade_late', 'gov/upgrade/none': 'no_upgrade', 'gov/upgrade/second': 'upgrade_exists',
  'gov/upgrade/reached': 'no_upgrade', 'gov/upgrade/name': 'upgrade_exists',
  'gov/council/proof': 'bad_proof', 'gov/council/left': 'no_governor', 'gov/council/ended': 'proposal_closed',
}
/** Refusals that this package makes too. */
const signatureKinds = [
  'wrong_signer', 'missing_signer', 'bad_signature', 'high_s', 'wrong_challenge', 'wrong_origin', 'wrong_rp', 'user_not_present', 'user_not_verified',
]

const world = new Map()
const get = async (key) => world.get(x(key)) ?? null
const key = (m) => ({ alg: m.get(1), bytes: m.get(2) })
const record = (k) => world.get(x(k)) && decode(world.get(x(k)), 66560)

/** Where the start of a recovery stands. */
const recoveryKey = (id, version) => Uint8Array.of(0x79, ...keyChangeKey(id, version).slice(1))

/** The keys of an account as its record says, or those of a first key. */
function keysOf(id, root) {
  const r = record(accountKey(id))
  if (!r) return rootPin(root).keys
  const set = r.get(2)
  const g = set.get(4)
  return {
    version: set.get(1), threshold: set.get(2), keys: set.get(3).map((k) => ({ key: key(k.get(1)), rights: k.get(2) })),
    ...(g && { guardians: { keys: g.get(1).map(key), threshold: g.get(2), delay: g.get(3) } }),
  }
}

/** The keys of a vendor as its record says. */
function vendorSigner(id) {
  const vendor = record(Uint8Array.of(0x76, ...id))
  return { role: ROLES.vendor, keys: vendor.get(2).map(key), threshold: vendor.get(3) }
}

/** Where a seal stands. */
const sealKey = ({ device, command }) => Uint8Array.of(0x73, ...device, ...command)
/** Where a version of firmware or of an app stands. */
const publicationKey = (prefix, vendor, name, version) =>
  Uint8Array.of(prefix, ...vendor, ...createHash('sha256').update(`${name}\0${version}`).digest())

/** Who must sign, as docs/spec/state.md lists it. */
function required({ kind, account, payload: p }) {
  switch (kind) {
    case TX_KINDS['register-batch']:
    case TX_KINDS['register-device']: {
      const vendor = record(Uint8Array.of(0x76, ...account))
      return [{ role: ROLES.vendor, keys: vendor.get(2).map(key), threshold: vendor.get(3) }]
    }
    case TX_KINDS['publish-release']:
    case TX_KINDS['revoke-release']:
    case TX_KINDS['publish-app']:
    case TX_KINDS['revoke-app']:
      return [vendorSigner(account)]
    case TX_KINDS['rotate-vendor-keys']: {
      const had = vendorSigner(account)
      const added = p.keys.filter((k) => !had.keys.some((h) => equal(h.bytes, k.bytes)))
      return [had, { role: ROLES.newKey, keys: added, threshold: added.length }]
    }
    case TX_KINDS['open-seal']:
    case TX_KINDS['approve-seal']:
      return [{ ...admins(ROLES.approver, keysOf(account)), threshold: 1 }]
    case TX_KINDS['anchor-receipts']:
      return [admins(ROLES.account, keysOf(account)), { role: ROLES.device, keys: [key(record(deviceKey(p.device)).get(1))], threshold: 1 }]
    case TX_KINDS.claim:
      return claimSigners(p.batch ? p.batch.key : key(record(deviceKey(p.device)).get(1)), keysOf(account, p.root))
    case TX_KINDS.transfer:
      return [admins(ROLES.account, keysOf(account)), admins(ROLES.newOwner, keysOf(p.to, p.root))]
    case TX_KINDS['rotate-keys']:
      return rotationSigners(keysOf(account), p)
    case TX_KINDS['start-recovery']:
      return keyChange(keysOf(account), { kind, payload: p }).signers
    case TX_KINDS['finish-recovery']: {
      const { keys } = decodeTx(world.get(x(recoveryKey(account, p.version)))).body.payload
      return [{ role: ROLES.party, keys: [...keys.filter((k) => k.rights & 1).map((k) => k.key), ...keysOf(account).guardians.keys], threshold: 1 }]
    }
    case TX_KINDS.freeze:
      return [{ role: ROLES.party, keys: [...admins(0, keysOf(account)).keys, ...(keysOf(account).guardians?.keys ?? [])], threshold: 1 }]
    case TX_KINDS.propose:
    case TX_KINDS.approve:
      return [{ role: ROLES.governor, keys: [key(record(Uint8Array.of(0x6e, ...account)).get(2))], threshold: 1 }]
    case TX_KINDS['delegate-grant']:
      return [{ role: ROLES.grantee, keys: [grantOf(p.parent).grantee], threshold: 1 }]
    default:
      return [admins(ROLES.account, keysOf(account))]
  }
}

/** What a grant's record says is given, by the owner or by the grantee of another. */
function grantOf(id) {
  const { kind, payload } = decodeTx(record(grantKey(id)).get(3)).body
  return kind === TX_KINDS['delegate-grant'] ? payload.grant : payload
}

/** What the records that a transaction left prove to somebody who trusts no validator. */
const proves = {
  async claim(t, chain) {
    const { device, batch } = t.body.payload
    const root = t.body.payload.root ?? key(record(accountKey(t.body.account)).get(1))
    if (batch) checkBatch(batch)
    const dev = key(record(deviceKey(device)).get(1))
    const own = verifyClaim(chain, dev, rootPin(root), world.get(x(ownerChangeKey(device, t.body.payload.epoch))))
    assert.deepEqual(await followOwner(get, chain, own), own)
    const seen = await verifyOwnership(get, chain, { device, root })
    assert.deepEqual(seen.public, dev)
    assert.equal(seen.epoch, own.epoch)
    first ??= { own, root }
    last = own
  },
  async transfer(t, chain) {
    const { device, to, epoch } = t.body.payload
    const own = await followOwner(get, chain, first.own)
    assert.ok(equal(own.owner.account, to) && own.epoch === epoch)
    const root = key(record(accountKey(to)).get(1))
    assert.equal((await verifyOwnership(get, chain, { device, root })).epoch, epoch)
    await refuses('not_owner', () => verifyOwnership(get, chain, { device, root: first.root }))
    // The ledger's word for an owner is worth nothing without the transfer.
    const k = x(ownerChangeKey(device, epoch))
    const [envelope] = [world.get(k), world.delete(k)]
    await refuses('forged', () => followOwner(get, chain, first.own))
    await refuses('no_change', () => verifyOwnership(get, chain, { device, root }))
    world.set(k, world.get(x(ownerChangeKey(device, 1))))
    await refuses('forged', () => followOwner(get, chain, first.own))
    await refuses('forged', () => verifyOwnership(get, chain, { device, root }))
    world.set(k, envelope)
  },
  async 'rotate-keys'(t, chain) {
    const root = key(record(accountKey(t.body.account)).get(1))
    const pin = await followKeys(get, chain, rootPin(root))
    const { guardians, ...keys } = pin.keys
    assert.deepEqual(guardians, keysOf(t.body.account).guardians)
    assert.deepEqual(keys, { version: t.body.payload.version, threshold: t.body.payload.threshold, keys: t.body.payload.keys })
    const k = x(keyChangeKey(t.body.account, pin.keys.version))
    const [envelope] = [world.get(k), world.delete(k)]
    await refuses('no_change', () => followKeys(get, chain, rootPin(root)))
    world.set(k, envelope)
    // An older record than the pin is refused, and so are keys that no change gives.
    await refuses('forged', () => followKeys(get, chain, { ...pin, keys: { ...pin.keys, version: pin.keys.version + 1 } }))
    await refuses('forged', () => followKeys(get, chain, { ...pin, keys: { ...pin.keys, keys: rootPin(root).keys.keys } }))
  },
  async 'create-grant'(t, chain) {
    const id = txDigest(chain, t.raw)
    const root = key(record(accountKey(t.body.account)).get(1))
    const pin = await followKeys(get, chain, rootPin(root))
    const row = world.get(x(grantKey(id)))
    assert.deepEqual(verifyGrant(chain, pin, id, row), t.body.payload)
    await refuses('not_issuer', () => verifyGrant(chain, { ...pin, account: new Uint8Array(20) }, id, row))
    await refuses('forged', () => verifyGrant(chain, pin, new Uint8Array(32), row))
    await refuses('forged', () => verifyGrant(chain, { ...pin, keys: { ...pin.keys, threshold: 2 } }, id, row))
  },
  async 'revoke-grant'(t, chain) {
    const id = t.body.payload.grant
    const pin = await followKeys(get, chain, rootPin(key(record(accountKey(t.body.account)).get(1))))
    await refuses('grant_revoked', () => verifyGrant(chain, pin, id, world.get(x(grantKey(id)))))
  },
  // What was given on stands in a record of its own; the owner's own grant still holds.
  async 'delegate-grant'(t, chain) {
    const { parent, grant, revoke } = t.body.payload
    if (revoke) return assert.equal(record(grantKey(revoke)).get(2), 2)
    assert.deepEqual(grantOf(txDigest(chain, t.raw)), grant)
    const above = decodeTx(record(grantKey(parent)).get(3))
    if (above.body.kind !== TX_KINDS['create-grant']) return
    const pin = await followKeys(get, chain, rootPin(key(record(accountKey(above.body.account)).get(1))))
    assert.deepEqual(verifyGrant(chain, pin, parent, world.get(x(grantKey(parent)))), above.body.payload)
    await refuses('forged', () => verifyGrant(chain, pin, txDigest(chain, t.raw), world.get(x(grantKey(txDigest(chain, t.raw))))))
  },
  // The record of a proposal keeps what its proposer signed.
  async propose(t, chain) {
    const r = record(Uint8Array.of(0x71, ...txDigest(chain, t.raw)))
    assert.deepEqual(decodeTx(r.get(5)), t)
    assert.deepEqual(r.get(4), [t.body.account])
  },
  async approve(t) {
    assert.ok(record(Uint8Array.of(0x71, ...t.body.payload.proposal)).get(4).some((who) => equal(who, t.body.account)))
  },
  // Only a release that the owner signed ends an ownership.
  async release(t, chain) {
    const { device, epoch } = t.body.payload
    await refuses('released', () => followOwner(get, chain, last))
    await refuses('not_owner', () => verifyOwnership(get, chain, { device, root: key(record(accountKey(t.body.account)).get(1)) }))
    const k = x(ownerChangeKey(device, epoch))
    const [envelope] = [world.get(k), world.delete(k)]
    await refuses('forged', () => followOwner(get, chain, last))
    await refuses('forged', () => followOwner(get, chain, { ...last, device, owner: { ...last.owner, account: new Uint8Array(20) } }))
    world.set(k, world.get(x(ownerChangeKey(device, 1))))
    await refuses('forged', () => followOwner(get, chain, last))
    world.set(k, envelope)
  },
  async 'report-lost'(t, chain) {
    assert.equal(record(deviceKey(t.body.payload.device)).get(7), true)
    assert.deepEqual(await followOwner(get, chain, last), last)
  },
  async 'report-found'(t) {
    assert.ok(!record(deviceKey(t.body.payload.device)).has(7))
  },
  async 'set-guardians'(t, chain) {
    const pin = await follows(t, chain)
    assert.deepEqual(pin.keys.guardians, t.body.payload.guardians)
    // Guardians that no signed change names are nobody's.
    await refuses('forged', () => followKeys(get, chain, { ...pin, keys: { ...pin.keys, guardians: undefined } }))
  },
  // Nothing changes for whoever follows the keys.
  async 'start-recovery'(t, chain) {
    assert.equal(Number((await follows(t, chain)).keys.version) + 1, t.body.payload.version)
    guarded = await follows(t, chain)
  },
  async 'cancel-recovery'(t, chain) {
    const { keys } = await follows(t, chain)
    assert.deepEqual(keys, { ...guarded.keys, version: t.body.payload.version })
  },
  // The guardians' signatures are what the new keys stand on.
  async 'finish-recovery'(t, chain) {
    const { keys } = await follows(t, chain)
    const started = world.get(x(recoveryKey(t.body.account, t.body.payload.version)))
    assert.deepEqual(keys.keys, decodeTx(started).body.payload.keys)
    assert.deepEqual(keys.guardians, guarded.keys.guardians)
    await refuses('forged', () => followKeys(get, chain, { ...guarded, keys: { ...guarded.keys, guardians: undefined } }))
    const others = { ...guarded.keys.guardians, keys: guarded.keys.guardians.keys.slice(1) }
    await refuses('forged', () => followKeys(get, chain, { ...guarded, keys: { ...guarded.keys, guardians: others } }))
    const k = x(keyChangeKey(t.body.account, t.body.payload.version))
    const envelope = world.get(k)
    world.set(k, encodeTx(t.raw, t.sigs))
    await refuses('forged', () => followKeys(get, chain, guarded))
    world.set(k, envelope)
  },
  async freeze(t, chain) {
    assert.equal(record(accountKey(t.body.account)).get(4), true)
    await follows(t, chain)
  },
  async unfreeze(t) {
    assert.ok(!record(accountKey(t.body.account)).has(4))
  },
  async 'register-batch'(t) {
    const { root, size, model } = t.body.payload
    const r = record(Uint8Array.of(0x62, ...t.body.account, ...root))
    assert.deepEqual([r.get(1), r.get(2)], [size, model])
  },
  // Policy and addresses keep what the owner signed.
  async 'set-policy'(t) {
    const { device, epoch, version } = t.body.payload
    const r = record(Uint8Array.of(0x6c, ...device))
    assert.deepEqual([r.get(1), r.get(2)], [epoch, version])
    assert.deepEqual(decodeTx(r.get(3)), t)
    assert.equal(record(deviceKey(device)).get(8), version)
  },
  async 'set-addresses'(t) {
    assert.deepEqual(decodeTx(record(Uint8Array.of(0x7a, ...t.body.payload.device)).get(2)), t)
  },
  // The record of a seal keeps what its approvers signed.
  async 'open-seal'(t) {
    assert.deepEqual(record(sealKey(t.body.payload)).get(8).map(decodeTx), [t])
  },
  async 'approve-seal'(t) {
    const r = record(sealKey(t.body.payload))
    assert.equal(r.get(3), 2)
    assert.deepEqual(decodeTx(r.get(8).at(-1)), t)
  },
  async 'anchor-receipts'(t) {
    const { device, to, head } = t.body.payload
    const r = record(Uint8Array.of(0x72, ...device))
    assert.equal(r.get(1), to)
    assert.deepEqual([r.get(2), decodeTx(r.get(4))], [head, t])
  },
  async 'publish-release'(t) {
    const { model, version } = t.body.payload
    const r = record(publicationKey(0x66, t.body.account, model, version))
    assert.deepEqual([r.get(2), decodeTx(r.get(3))], [1, t])
  },
  async 'revoke-release'(t) {
    const { model, version } = t.body.payload
    assert.equal(record(publicationKey(0x66, t.body.account, model, version)).get(2), 2)
  },
  async 'publish-app'(t) {
    const { app, version } = t.body.payload
    const r = record(publicationKey(0x78, t.body.account, app, version))
    assert.deepEqual([r.get(2), decodeTx(r.get(3))], [1, t])
  },
  async 'revoke-app'(t) {
    const { app, version } = t.body.payload
    assert.equal(record(publicationKey(0x78, t.body.account, app, version)).get(2), 2)
  },
  async 'rotate-vendor-keys'(t) {
    const { version, keys, threshold } = t.body.payload
    const kept = Uint8Array.of(0x76, ...t.body.account, 0, 0, 0, 0, 0, 0, 0, version)
    assert.deepEqual(decodeTx(world.get(x(kept))), t)
    assert.deepEqual(vendorSigner(t.body.account), { role: ROLES.vendor, keys, threshold })
  },
  async 'register-device'(t) {
    const id = deviceId(t.body.payload.key)
    await refuses('not_owner', () => verifyOwnership(get, new Uint8Array(32), { device: id, root: t.body.payload.key }))
  },
}

/** The path of docs/spec/tx.md leads from the device to the root, and to the record that the claim left. */
function checkBatch(m) {
  const hash = (...parts) => sha256(Uint8Array.from(parts.flatMap((p) => [...p])))
  const size = record(Uint8Array.of(0x62, ...m.vendor, ...m.root)).get(1)
  let r = hash([0], encode(new Map([[1, new Map([[1, m.key.alg], [2, m.key.bytes]])], [2, m.sealKey]])))
  const path = [...m.path]
  for (let index = m.index, last = size - 1; last > 0; index >>= 1, last >>= 1) {
    if (index & 1) r = hash([1], path.shift(), r)
    else if (index < last) r = hash([1], r, path.shift())
  }
  assert.ok(equal(r, m.root) && path.length === 0)
  const d = record(deviceKey(deviceId(m.key)))
  assert.ok(equal(d.get(2), m.sealKey) && equal(d.get(3), m.vendor))
}

/** The keys of the acting account, from its first key on. */
const follows = (t, chain) => followKeys(get, chain, rootPin(key(record(accountKey(t.body.account)).get(1))))

let guarded // the pin before the latest recovery
let last // the ownership that the latest claim began
let first // the ownership that the first claim began
const seen = new Set()
const kindName = (n) => Object.keys(TX_KINDS).find((k) => TX_KINDS[k] === n)
const refuses = (kind, f) => assert.rejects(async () => f(), (e) => e instanceof HosError && (assert.equal(e.kind, kind), true))

async function check(c) {
  const sets = Object.entries(c.want).filter(([k]) => k.startsWith('set/')).map(([k, v]) => [k.slice(4), unhex(v)])
  if (!c.hex) {
    assert.match(c.name, /^([a-z]+\/)?genesis$/)
    world.clear()
    for (const [k, v] of sets) world.set(k, v)
    return
  }
  const t = decodeTx(unhex(c.hex))
  const chain = unhex(c.in.chain_digest)
  const { refused } = c.want
  if (refused && !signatureKinds.includes(refused)) return assert.equal(validatorsOnly[c.name], refused, 'a refusal that nobody handles')
  if (refused) return refuses(refused, () => verifySigs(t, chain, required(t.body)))
  assert.ok(sets.length > 0, 'a case that wants nothing')
  verifySigs(t, chain, required(t.body))
  for (const [k, v] of sets) world.set(k, v)
  await proves[kindName(t.body.kind)](t, chain)
  seen.add(kindName(t.body.kind))
}

test('state', async (t) => {
  const { cases } = load('state')
  assert.ok(cases.length > 0)
  for (const c of cases) await t.test(`state: ${c.name}`, () => check(c))
  assert.deepEqual([...seen].sort(), Object.keys(TX_KINDS).sort())
  for (const name of Object.keys(validatorsOnly)) assert.ok(cases.some((c) => c.name === name), `${name} is not in the file`)
})

test('the account of a record is that of its first key', async () => {
  for (const [k, v] of world) {
    if (!k.startsWith('61')) continue
    assert.equal(x(accountId(key(decode(v, 66560).get(1)))), k.slice(2))
  }
})

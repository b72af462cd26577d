/** What a phone may believe and use: devices by the owner's signatures, grants by what they name. */

import { compare } from '../codec.js'
import { deviceText, parseDevice } from '../id.js'
import { sameKey } from '../key.js'
import { followKeys, verifyOwnership } from '../ownership.js'
import { decodeTx, TX_KINDS, txDigest } from '../tx.js'

/** @typedef {import('../store.js').Profile} Profile */
/** @typedef {import('../store.js').KnownDevice} KnownDevice */

/** What is asked of a device that no wallet described; it decides itself what it can. */
const USUAL = { endpoint: 'lock', methods: ['lock', 'open', 'state', 'unlock'] }

/**
 * Moves the pinned keys along signed changes. It throws if the node shows keys
 * that nobody signed for, or older ones than the phone has seen.
 * @param {import('../ownership.js').Get} get
 * @param {Profile} p
 */
export async function movePin(get, p) {
  const pin = await followKeys(get, p.chain, { account: p.account, keys: p.keys })
  return pin.keys
}

/**
 * A device that a node names, when the owner's signatures confirm it.
 * @param {import('../ownership.js').Get} get
 * @param {Profile} p
 * @param {string} id hosdev1…
 * @returns {Promise<KnownDevice>}
 */
export async function confirmDevice(get, p, id) {
  const o = await verifyOwnership(get, p.chain, { device: parseDevice(id), root: p.root })
  return { id, public: o.public, name: o.model, model: o.model, epoch: Number(o.epoch), ...USUAL }
}

/**
 * The grant among a guest's that covers a method, with the epoch that it names.
 * @param {Profile} p
 * @param {KnownDevice} d
 * @param {string} method
 * @returns {{id: Uint8Array, epoch: number} | null}
 */
export function grantFor(p, d, method) {
  let found = null
  for (const envelope of p.grants) {
    const t = decodeTx(envelope)
    for (const target of t.body.payload.targets) {
      if (deviceText(target.device) !== d.id || target.endpoint !== d.endpoint || !target.methods.includes(method)) continue
      found = { id: txDigest(p.chain, t.raw), epoch: Number(target.epoch) } // the last one is the newest
    }
  }
  return found
}

/**
 * Whether a grant that came through the box is one of this account's to this key.
 * @param {Uint8Array} envelope
 * @param {{account: Uint8Array, public: import('../key.js').PublicKey}} expected
 */
export function isGrantTo(envelope, expected) {
  const { body } = decodeTx(envelope)
  return body.kind === TX_KINDS['create-grant'] && compare(body.account, expected.account) === 0 && sameKey(body.payload.grantee, expected.public)
}

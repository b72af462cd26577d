/** Why and how a device answered: docs/spec/command.md. Numbers are append-only. */

/** The codes of receipts. */
export const CODES = Object.freeze({
  ok: 0,
  too_large: 1, malformed: 2, not_canonical: 3, bad_version: 4, bad_type: 5, unknown_extension: 6, unknown_alg: 7,
  wrong_chain: 10, wrong_device: 11, stale_epoch: 12, unowned: 13,
  expired: 20, not_yet: 21, life_too_long: 22,
  unknown_key: 30, unknown_grant: 31, replayed: 32, jump_too_far: 33, rate_limited: 34, too_many_lanes: 35, bad_grant_body: 36,
  superseded: 37, cancelled: 38, too_late: 39,
  bad_signature: 40, high_s: 41, wrong_challenge: 42, wrong_origin: 43, wrong_rp: 44, user_not_present: 45, user_not_verified: 46,
  extra_signer: 47, too_few_signers: 48,
  grant_revoked: 50, grant_expired: 51, grant_not_yet: 52, not_granted: 53, not_allowed: 54, forged_grant: 55,
  outside_window: 56, used_up: 57, grant_rate: 58, unknown_zone: 59,
  stale: 60, untrusted: 61, not_sealed: 62, bad_evidence: 63, anchor_expired: 64,
  no_method: 70, failed: 71, timed_out: 72, interrupted: 73, internal: 74,
})

/**
 * What became of a command: done; nothing done, and the same bytes never will;
 * nothing done, but may succeed later; begun with unknown outcome.
 */
export const STATUS = Object.freeze({ executed: 1, rejected: 2, deferred: 3, unknown: 4 })

/** The name of a code. @param {number} n */
export const codeName = (n) => nameIn(CODES, n) ?? `code_${n}`
/** The name of a status. @param {number} n */
export const statusName = (n) => nameIn(STATUS, n) ?? `status_${n}`

/** @param {Record<string, number>} list @param {number} n */
function nameIn(list, n) {
  return Object.keys(list).find((k) => list[k] === n)
}

/**
 * The kinds of refusal that this package makes itself: those of chain/codec,
 * chain/key, chain/tx, chain/state and the codes of receipts, under the same
 * names, and the last row, which exists only on this side. A node's own error
 * codes pass through the client as they come.
 */
export const KINDS = Object.freeze([
  // encoding
  'too_large', 'malformed', 'not_canonical',
  // keys and signatures
  'unknown_alg', 'bad_key', 'bad_signature', 'high_s', 'bad_text',
  'wrong_challenge', 'wrong_origin', 'wrong_rp', 'user_not_present', 'user_not_verified',
  // transactions
  'malformed_tx', 'bad_version', 'unknown_kind', 'invoke_only',
  // commands and receipts
  'bad_type', 'unknown_extension', 'unknown_key', 'wrong_device',
  // statements of devices
  'wrong_chain', 'foreign_device', 'wrong_epoch', 'foreign_stream', 'payload_mismatch', 'replay', 'reorder', 'splice',
  // rights
  'wrong_signer', 'missing_signer', 'no_account', 'no_device', 'grant_revoked',
  'not_issuer', 'not_owner', 'no_change', 'forged', 'released',
  // adding a phone
  'bad_link', 'bad_message', 'not_sealed', 'wrong_phone_key',
  // here only: no answer from the node; an answer that is none; no such key store in this browser; the person said no
  'unreachable', 'bad_answer', 'unavailable', 'cancelled',
])

/** A refusal: `kind` for programs, `detail` for people. Everything that this package throws is one. */
export class HosError extends Error {
  /**
   * @param {string} kind one of KINDS, or a node's error code
   * @param {string} detail
   * @param {{cause?: unknown}} [options]
   */
  constructor(kind, detail, options) {
    super(`${kind}: ${detail}`, options)
    this.name = 'HosError'
    this.kind = kind
    this.detail = detail
  }
}

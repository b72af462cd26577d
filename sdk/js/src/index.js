/**
 * The core of HybridOS in JavaScript: encoding, keys, commands, receipts and
 * rights, and a client for a node. Start at `signCommand` and `verifyReceipt`;
 * the elements for pages are in `hybridos/elements`.
 */
export { HosError, KINDS } from './error.js'
export { LABELS, chainDigest, compare, decode, digest, encode, equal, hash, preimage } from './codec.js'
export { accountId, accountText, deviceId, deviceText, fromHex, hex, keyId, keyText, parseAccount, parseDevice, parseKey } from './id.js'
export {
  ALG, decodeKey, decodePasskey, encodeAssertion, encodeKey, encodePublic, invokeOnly, parsePublic, passkeyPublic, sameKey, validate, verify,
} from './key.js'
export { browserSigner, createBrowserKey, createPasskey, fromDER, p256Signer, passkeySigner, secp256k1Signer } from './signer.js'
export { CODES, STATUS, codeName, statusName } from './code.js'
export { MAX_LIFE, buildCommand, decodeCommand, signCommand, verifyCommand } from './command.js'
export { verifyReceipt } from './receipt.js'
export { StreamVerifier, verifyStatement } from './attest.js'
export { RIGHTS, ROLES, TX_KINDS, decodeTx, decodeTxBody, encodeTx, encodeTxBody, txDigest } from './tx.js'
export {
  accountKey, deviceKey, followKeys, followOwner, grantKey, keyChangeKey, ownerChangeKey, rootPin, verifyClaim, verifyGrant, verifyOwnership,
} from './ownership.js'
export { Box, DONE, PURPOSE, SLOTS, checkKeyChange, compareCode, decodeMessage, encodeMessage, parseFragment } from './phone.js'
export { Client } from './client.js'

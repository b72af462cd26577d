/**
 * What a wallet and the page on a phone say to each other when the phone's key
 * is added: the link's secret, the box on a node through which sealed messages
 * go, and the five messages. The Go side is the package wallet/phone.
 */
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, concatBytes } from '@noble/hashes/utils.js'
import { base64urlnopad } from '@scure/base'
import { equal, LABELS, preimage } from './codec.js'
import { HosError } from './error.js'
import { accountId } from './id.js'
import { encodeKey, MAX_SIGNATURE, passkeyPublic, publicKey, sameKey, validate } from './key.js'
import { validMethods, validName } from './name.js'
import { keySetTable } from './ownership.js'
import { bytes, list, pack, record, text, uint, unpack } from './record.js'
import { checkGuardians, checkKeySet, decodeTx, decodeTxBody, RIGHTS, TX_KINDS, txDigest } from './tx.js'

/** @typedef {import('./key.js').PublicKey} PublicKey */
/** @typedef {'offer' | 'key' | 'tx' | 'proof' | 'done'} Slot */
/**
 * A device as a wallet names it: its key, against which receipts are checked,
 * and what may be asked of one endpoint.
 * @typedef {{public: PublicKey, name: string, model: string, epoch: number | bigint, endpoint: string, methods: string[]}} PhoneDevice
 */
/**
 * The wallet's first word.
 * @typedef {object} Offer
 * @property {Uint8Array} chain chain digest
 * @property {string} chainId
 * @property {Uint8Array} account
 * @property {number} purpose one of PURPOSE
 * @property {string} label proposed name of the phone
 * @property {string} rpId
 * @property {string} origin
 * @property {PhoneDevice[]} devices
 * @property {PublicKey} root the account's first key
 * @property {import('./ownership.js').KeySet} keys
 */
/** The phone's key. @typedef {{public: PublicKey, label: string}} KeyMessage */
/** The transaction that adds the key: the bytes of its body. @typedef {{body: Uint8Array}} TxMessage */
/** That the phone holds the key: a signature over the transaction's digest. @typedef {{signature: Uint8Array}} ProofMessage */
/** The wallet's last word. @typedef {{status: number, text: string, grants: Uint8Array[], devices: PhoneDevice[]}} DoneMessage */
/** @typedef {{offer: Offer, key: KeyMessage, tx: TxMessage, proof: ProofMessage, done: DoneMessage}} Messages */

/** For whom a phone's key is: it joins the account, or is given a grant. */
export const PURPOSE = Object.freeze({ own: 1, guest: 2 })
/** How adding a phone ended. */
export const DONE = Object.freeze({ added: 1, refused: 2 })
/** The slots of a box, in the order in which they are filled. @type {readonly Slot[]} */
export const SLOTS = Object.freeze(['offer', 'key', 'tx', 'proof', 'done'])

const VERSION = 1
const [SECRET, NONCE, TAG, MAX_SEALED] = [16, 12, 16, 16384]
const MAX_PLAIN = MAX_SEALED - NONCE - TAG
const [MAX_LABEL, MAX_TEXT, MAX_DEVICES, MAX_GRANTS, MAX_NAME, MAX_CHAIN_ID] = [64, 512, 32, 8, 64, 48]

/** @type {import('./record.js').Table} */
const deviceTable = {
  public: [1, publicKey], name: [2, text], model: [3, text], epoch: [4, uint()], endpoint: [5, text], methods: [6, list(text)],
}
/** @type {Record<Slot, {table: import('./record.js').Table, check(m: any): void}>} */
const messages = {
  offer: {
    table: {
      chain: [2, bytes(32)], chainId: [3, text], account: [4, bytes(20)], purpose: [5, uint(255)], label: [6, text], rpId: [7, text],
      origin: [8, text], devices: [9, list(record(deviceTable))], root: [10, publicKey], keys: [11, record(keySetTable)],
    },
    check: checkOffer,
  },
  key: {
    table: { public: [2, publicKey], label: [3, text] },
    check(m) {
      refuse('wrong_phone_key', () => validate(m.public))
      demand(printable(m.label, MAX_LABEL), 'label')
    },
  },
  tx: {
    table: { body: [2, bytes()] },
    check: (m) => demand(decodeTxBody(m.body).kind === TX_KINDS['rotate-keys'], 'a transaction that changes no keys'),
  },
  proof: {
    table: { signature: [2, bytes()] },
    check: (m) => demand(m.signature.length > 0 && m.signature.length <= MAX_SIGNATURE, 'length of the signature'),
  },
  done: {
    table: { status: [2, uint(255)], text: [3, text], grants: [4, list(bytes())], devices: [5, list(record(deviceTable))] },
    check(m) {
      demand(m.status === DONE.added || m.status === DONE.refused, `status ${m.status}`)
      demand(printable(m.text, MAX_TEXT), 'text')
      demand(m.grants.length <= MAX_GRANTS, 'too many grants')
      for (const g of m.grants) demand(decodeTx(g).body.kind === TX_KINDS['create-grant'], 'a transaction that is no grant')
      checkDevices(m.devices)
    },
  },
}

/**
 * The secret of a link, from what stands behind its #: `phone=…`.
 * @param {string} fragment with or without the #
 * @returns {Uint8Array} 16 bytes
 */
export function parseFragment(fragment) {
  const [, value] = /^#?phone=([A-Za-z0-9_-]+)$/.exec(fragment) ?? []
  const secret = refuse('bad_link', () => base64urlnopad.decode(value ?? ''))
  if (secret.length !== SECRET) throw new HosError('bad_link', 'what follows the # is damaged or cut off')
  return secret
}

/**
 * The six digits that wallet and phone both show: the same on both if the key
 * that came through the box is the one that this phone made.
 * @param {Uint8Array} secret
 * @param {PublicKey} pub
 */
export function compareCode(secret, pub) {
  const h = sha256(concatBytes(utf8('hybridos/compare/v1'), Uint8Array.of(0), secret, encodeKey(pub)))
  const first20 = (h[0] << 12) | (h[1] << 4) | (h[2] >> 4)
  return String(first20 % 1_000_000).padStart(6, '0')
}

/** A box on a node: its number, which the node sees, and its key, which only whoever has the link can compute. */
export class Box {
  /** 32 hex digits. @type {string} */
  id
  /** @type {Uint8Array} */
  #key

  /** @param {string} id @param {Uint8Array} key */
  constructor(id, key) {
    this.id = id
    this.#key = key
  }

  /** The box of a link's secret. @param {Uint8Array} secret 16 bytes */
  static fromSecret(secret) {
    if (!(secret instanceof Uint8Array) || secret.length !== SECRET) throw new HosError('bad_link', `a secret is ${SECRET} bytes`)
    const id = sha256(concatBytes(utf8('hybridos/box/v1'), Uint8Array.of(0), secret)).subarray(0, 16)
    return new Box(bytesToHex(id), hkdf(sha256, secret, undefined, utf8('hybridos/box-key/v1'), 32))
  }

  /**
   * Encodes and seals a message for its slot.
   * @template {Slot} S
   * @param {S} slot
   * @param {Messages[S]} message
   */
  async seal(slot, message) {
    const plain = encodeMessage(slot, message)
    const nonce = crypto.getRandomValues(new Uint8Array(NONCE))
    const sealed = await this.#crypt('encrypt', slot, nonce, plain)
    return concatBytes(nonce, sealed)
  }

  /**
   * Opens and decodes what stands in a slot: `not_sealed`, `bad_message`, `wrong_phone_key`.
   * @template {Slot} S
   * @param {S} slot
   * @param {Uint8Array} sealed
   * @returns {Promise<Messages[S]>}
   */
  async open(slot, sealed) {
    if (sealed.length < NONCE + TAG || sealed.length > MAX_SEALED) throw new HosError('not_sealed', `${slot} of ${sealed.length} bytes`)
    return decodeMessage(slot, await this.#crypt('decrypt', slot, sealed.subarray(0, NONCE), sealed.subarray(NONCE)))
  }

  /**
   * @param {'encrypt' | 'decrypt'} way
   * @param {string} slot
   * @param {Uint8Array} nonce
   * @param {Uint8Array} data
   */
  async #crypt(way, slot, nonce, data) {
    const subtle = globalThis.crypto?.subtle
    if (!subtle) throw new HosError('unavailable', 'this page has no cryptography: it needs https, or http://localhost')
    const key = await subtle.importKey('raw', /** @type {BufferSource} */ (this.#key), 'AES-GCM', false, [way])
    const params = { name: 'AES-GCM', iv: /** @type {BufferSource} */ (nonce), additionalData: utf8(slot) }
    try {
      return new Uint8Array(await subtle[way](params, key, /** @type {BufferSource} */ (data)))
    } catch (cause) {
      throw new HosError('not_sealed', `${slot} is not sealed by whoever has the link`, { cause })
    }
  }
}

/**
 * The bytes of a message before it is sealed.
 * @template {Slot} S
 * @param {S} slot
 * @param {Messages[S]} message
 */
export function encodeMessage(slot, message) {
  return refuse('bad_message', () => {
    const b = pack(tableOf(slot), { ...message, version: VERSION }, slot)
    decodeMessage(slot, b)
    return b
  })
}

/**
 * Reads a message.
 * @template {Slot} S
 * @param {S} slot
 * @param {Uint8Array} b
 * @returns {Messages[S]}
 */
export function decodeMessage(slot, b) {
  return refuse('bad_message', () => {
    const { version, ...m } = unpack(tableOf(slot), b, MAX_PLAIN, slot)
    demand(version === VERSION, `${slot}: version ${version}`)
    messages[slot].check(m)
    return m
  })
}

/**
 * Checks what a phone is asked to sign to join an account: a change of this
 * account's keys in which the phone's key stands with the right to invoke
 * alone. Gives digest and preimage for a Signer.
 * @param {Uint8Array} body the body's bytes
 * @param {{chain: Uint8Array, account: Uint8Array, public: PublicKey}} expected
 */
export function checkKeyChange(body, { chain, account, public: pub }) {
  return refuse('bad_message', () => {
    const t = decodeTxBody(body)
    demand(t.kind === TX_KINDS['rotate-keys'] && equal(t.account, account), "not a change of this account's keys")
    const own = t.payload.keys.find((/** @type {any} */ k) => sameKey(k.key, pub))
    demand(own?.rights === RIGHTS.invoke, "this phone's key is not in it with the right to invoke alone")
    return { digest: txDigest(chain, body), preimage: preimage(LABELS.tx, chain, body) }
  })
}

/** @param {Slot} slot @returns {import('./record.js').Table} */
const tableOf = (slot) => ({ version: [1, uint(255)], ...messages[slot].table })

/** @param {Offer} o */
function checkOffer(o) {
  demand(o.chainId !== '' && printable(o.chainId, MAX_CHAIN_ID), 'chain id')
  demand(o.purpose === PURPOSE.own || o.purpose === PURPOSE.guest, `purpose ${o.purpose}`)
  demand(printable(o.label, MAX_LABEL), 'label')
  passkeyPublic({ point: GENERATOR, rpId: o.rpId, origins: [o.origin] })
  demand(new URL(o.origin).hostname === o.rpId, 'the name is not that of the origin')
  validate(o.root)
  demand(equal(accountId(o.root), o.account), 'the root key is not that of the account')
  checkKeySet({ ...o.keys, version: o.keys.version || 1 })
  if (o.keys.guardians) checkGuardians(o.keys.guardians)
  checkDevices(o.devices)
}

/** Any point will do to have name and origin checked as a key's are. */
const GENERATOR = Uint8Array.from([
  3, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
  0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
])

/** @param {PhoneDevice[]} devices */
function checkDevices(devices) {
  demand(devices.length <= MAX_DEVICES, 'too many devices')
  for (const d of devices) {
    validate(d.public)
    demand(d.name !== '' && printable(d.name, MAX_NAME) && printable(d.model, MAX_NAME), 'name or model of a device')
    demand(d.epoch !== 0 && validName(d.endpoint) && validMethods(d.methods), 'epoch, endpoint or methods of a device')
  }
}

/** Text without anything that a page would not show, at most max bytes. @param {string} s @param {number} max */
function printable(s, max) {
  return utf8(s).length <= max && /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u.test(s)
}

/** @param {boolean} ok @param {string} detail */
function demand(ok, detail) {
  if (!ok) throw new HosError('bad_message', detail)
}

/**
 * What f gives; its refusals become those of a kind, but for a phone's.
 * @template T
 * @param {string} kind
 * @param {() => T} f
 */
function refuse(kind, f) {
  try {
    return f()
  } catch (e) {
    if (e instanceof HosError && (e.kind === kind || e.kind === 'wrong_phone_key')) throw e
    throw new HosError(kind, e instanceof Error ? e.message : String(e), { cause: e })
  }
}

/** @param {string} s */
const utf8 = (s) => new TextEncoder().encode(s)

/**
 * What is said to people about an outcome: what happened, and what to do next.
 * Every code of a device and every way in which asking can fail has its words.
 *
 * Tone: `good` only for a receipt of the device that was verified here; `bad`
 * for lies; `no` for refusals; `wait` for what may be other in a moment.
 * @typedef {{tone: 'good' | 'no' | 'wait' | 'bad' | 'plain', title: string, text: string}} Words
 */

const NOTHING = 'Nothing was done.'

/** @param {Words['tone']} tone @param {string} title @param {string} text @returns {Words} */
const say = (tone, title, text) => ({ tone, title, text })

const UPDATE = say('no', 'Not understood', `The lock did not understand the command. ${NOTHING} Reload this page; if that does not help, the lock or the page needs an update.`)
const REMOVED = `${NOTHING} Ask the owner to add this phone again.`
const PASSKEY = 'Remove this phone in the settings below and add it again.'

/** By the code in a verified receipt. @type {Record<string, Words>} */
const BY_CODE = {
  too_large: UPDATE,
  malformed: UPDATE,
  not_canonical: UPDATE,
  bad_version: UPDATE,
  bad_type: UPDATE,
  unknown_extension: UPDATE,
  unknown_alg: say('no', 'This kind of key is not known', `The lock is too old for passkeys. ${NOTHING} Update the lock.`),

  wrong_chain: say('no', 'Another ledger', `The lock follows another ledger than this phone. ${NOTHING}`),
  wrong_device: say('no', 'Another lock', `The command reached another lock than the one it was made for. ${NOTHING}`),
  stale_epoch: say('no', 'The lock changed hands', `It was transferred since this phone learned about it. ${NOTHING} Ask its owner to add this phone again.`),
  unowned: say('no', 'The lock has no owner', `It obeys nobody until it is paired. ${NOTHING}`),

  expired: say('no', 'Too late', `The command’s time was over when the lock saw it. ${NOTHING} Try again; if it happens each time, check the clock of this phone.`),
  not_yet: say('no', 'This phone’s clock is ahead', `${NOTHING} Set the phone’s time to automatic and try again.`),
  life_too_long: say('no', 'The command lives too long', `${NOTHING} Reload this page and try again.`),

  unknown_key: say('no', 'This phone has no right any more', `Its key was removed from the account, or never came to be in it. ${REMOVED}`),
  unknown_grant: say('no', 'The permission is not known', `The lock finds no such permission on the ledger. ${REMOVED}`),
  replayed: say('no', 'Already used', `The lock has seen this command’s number before. ${NOTHING} Try again: a new count was begun.`),
  jump_too_far: say('no', 'Lost count', `Too many commands of this phone never reached the lock. ${NOTHING} Try again: a new count was begun.`),
  rate_limited: say('wait', 'Too many at once', `The lock is busy. ${NOTHING} Wait a few seconds and try again.`),
  too_many_lanes: say('wait', 'Too many counts', `This key began too many counts of its commands. ${NOTHING} Try again in two minutes.`),

  superseded: say('no', 'Something newer came first', `The lock has already done what was asked of it later. ${NOTHING} Look at the lock, then try again.`),
  cancelled: say('no', 'Cancelled', `This command was cancelled before it was begun. ${NOTHING}`),
  too_late: say('no', 'Too late to cancel', 'The command was begun before it could be cancelled. Look at the lock.'),

  bad_signature: say('no', 'The signature does not fit', `${NOTHING} ${PASSKEY}`),
  high_s: say('no', 'The signature does not fit', `It came in a form that is not allowed. ${NOTHING} Reload this page and try again.`),
  wrong_challenge: say('no', 'Signed for something else', `The signature was made for another command. ${NOTHING} Try again.`),
  wrong_origin: say('no', 'Signed on another page', `The signature was made on a page that this key does not allow. ${NOTHING} Open the page under the name under which you added this phone.`),
  wrong_rp: say('no', 'Signed for another site', `The passkey belongs to another site than the key allows. ${NOTHING} ${PASSKEY}`),
  user_not_present: say('no', 'Nobody was there', `The phone signed without anybody touching it. ${NOTHING} Try again and confirm.`),
  user_not_verified: say('no', 'You were not recognised', `The lock wants to know that it was you: fingerprint, face or PIN. ${NOTHING} Set up a screen lock on this phone and try again.`),

  bad_grant_body: say('no', 'The permission is incomplete', `The lock needs the private part of it, and this page did not send the right one. ${NOTHING} Ask the owner for a new one.`),

  grant_revoked: say('no', 'Your permission was taken back', `The owner revoked it. ${NOTHING} Ask the owner for a new one.`),
  grant_expired: say('no', 'Your permission has ended', `Its time is over. ${NOTHING} Ask the owner for a new one.`),
  grant_not_yet: say('wait', 'Your permission has not begun', `${NOTHING} Try again when it has.`),
  not_granted: say('no', 'Not in your permission', `You may not do this with this lock. ${NOTHING}`),
  not_allowed: say('no', 'This key may not do that', `Its rights were taken away. ${REMOVED}`),
  forged_grant: say('no', 'The permission does not hold', `The owner’s present keys did not sign it. ${NOTHING} Ask the owner for a new one.`),

  outside_window: say('wait', 'Not at this hour', `Your permission holds at other hours of the week. ${NOTHING} Try again when it does.`),
  used_up: say('no', 'Used up', `Your permission was for a number of times, and they are spent. ${NOTHING} Ask the owner for a new one.`),
  grant_rate: say('wait', 'Too often', `Your permission allows only so many times in a while. ${NOTHING} Try again later.`),
  unknown_zone: say('no', 'The lock does not know the time zone', `Your permission holds at hours of a time zone that the lock does not know. ${NOTHING} Ask the owner for a new one.`),

  stale: say('wait', 'The lock waits for news', `It has not heard from the ledger lately and will not open on old news. ${NOTHING} Wait some seconds and try again.`),
  untrusted: say('bad', 'The ledger shows something wrong', `The lock saw rights that nobody signed for, and keeps to the old ones. ${NOTHING} Tell the owner.`),
  bad_evidence: say('no', 'The news does not hold', `What was brought along about the ledger is not true. ${NOTHING} Use another node.`),
  anchor_expired: say('wait', 'The lock was without news too long', `It has heard nothing for two weeks and wants its owner’s word. ${NOTHING} The owner opens it once with hos do --vouch.`),
  not_sealed: say('wait', 'The owner asks for more', `This needs an entry on the ledger, which this page cannot make. ${NOTHING} Ask the owner.`),
  extra_signer: say('no', 'A signature too many', `Somebody else than the owner has signed too. ${NOTHING}`),
  too_few_signers: say('no', 'One key is not enough', `The owner wants more than one key for this. ${NOTHING} Ask the owner.`),

  no_method: say('no', 'The lock cannot do that', NOTHING),
  failed: say('no', 'The lock did not move', 'It understood, but its mechanism reports a fault. Look at the lock.'),
  timed_out: say('wait', 'Not known', 'The lock’s mechanism did not answer in time. Look at the lock: it may have moved.'),
  interrupted: say('wait', 'Not known', 'The lock lost power or was restarted in the middle. Look at the lock: it may have moved. This command is never run again.'),
  internal: say('wait', 'The lock has a problem', 'It could not do its part, for instance because its memory is full. Look at the lock, then try again.'),
}

/** By the kind of error, where there is no receipt. @type {Record<string, Words>} */
const BY_KIND = {
  device_offline: say('wait', 'The lock is not connected', 'Nothing was sent. Check its power and network, or use your key.'),
  no_receipt: say('wait', 'No answer', 'The command was sent and no answer came. Ask again: the same command is sent, so it is done once at most.'),
  unreachable: say('wait', 'No connection', 'The node cannot be reached; it is not known whether the command left. Ask again: the same command is sent, so it is done once at most.'),
  bad_answer: say('wait', 'No answer from the lock', 'Something else answered, and it is not known what became of the command. Ask again: the same command is sent, so it is done once at most.'),
  busy: say('wait', 'The node is busy', 'Nothing was done. Wait a few seconds and try again.'),
  rate_limited: say('wait', 'Too many requests', 'Nothing was sent. Wait a few seconds and try again.'),
  bad_command: UPDATE,
  cancelled: say('plain', 'Not signed', 'You did not confirm, so nothing was sent.'),
  unavailable: say('no', 'This phone cannot sign here', 'No passkey is available on this page. Open it under the name under which you added this phone, over https.'),
  too_slow: say('no', 'That took too long', 'The command’s time was over before it was sent. Nothing was sent. Try again.'),
  not_pinned: say('no', 'Not confirmed', 'This phone has no proof that this lock belongs to your account, so it asks nothing of it.'),
  not_granted: say('no', 'Not in your permission', 'You may not do this with this lock. Nothing was sent.'),
  forged: say('bad', 'Somebody who is not your lock answered', 'The answer is not signed by your lock. Do not trust it: look at the lock itself. The node between may be faulty or lying.'),
}

/** A receipt that names a code which this page does not know. @param {string} code */
const unknownCode = (code) => say('no', 'The lock refused', `It answered with ${code}, which this page does not know. Reload the page.`)

/** What an `executed` is called, by method. @type {Record<string, string>} */
const DONE = { open: 'Opened', unlock: 'Unlocked', lock: 'Locked' }

/**
 * @param {import('./session.js').Outcome} o
 * @returns {Words}
 */
export function explain(o) {
  if (o.state === 'executed') return say('good', done(o.method), 'Your lock says so; its signature was verified on this phone.')
  if (o.state === 'forged') return BY_KIND.forged
  if (o.receipt && o.again && (o.code === 'expired' || o.code === 'replayed')) {
    return say('wait', 'Not known', 'The lock does not remember this command any more. It may have been done when it was first sent. Look at the lock.')
  }
  if (o.receipt) return BY_CODE[o.code] ?? unknownCode(o.code)
  if (o.again && o.code !== 'no_receipt') return say('wait', 'Still no answer', `${BY_KIND[o.code]?.title ?? o.code}. What became of the command sent before is not known yet. Ask again: it is done once at most.`)
  return BY_KIND[o.code] ?? BY_CODE[o.code] ?? say('wait', 'That did not work', `${o.detail || o.code}. Try again.`)
}

/** The codes of receipts that have words, for the test of completeness. */
export const spokenCodes = () => Object.keys(BY_CODE)

/** What a method has done when it is done. @param {string} method */
export const done = (method) => DONE[method] ?? 'Done'

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
/** @param {number} m minute of the day */
const clock = (m) => `${String(Math.floor(m / 60)).padStart(2, '0')}:${String(m % 60).padStart(2, '0')}`
/** @param {number | bigint} n */
const times = (n) => (Number(n) === 1 ? 'once' : `${n} times`)
/** @param {number} s */
const span = (s) => (s % 3600 === 0 ? `${s / 3600} h` : s % 60 === 0 ? `${s / 60} min` : `${s} s`)

/**
 * What narrows a permission, for whoever has it: until when, at which hours, how
 * often. The device holds it to these; the page only tells.
 * @param {any} grant the payload of create-grant
 * @returns {string[]}
 */
export function limits(grant) {
  const out = [`until ${new Date(Number(grant.notAfter) * 1000).toLocaleString()}`]
  const hours = (grant.windows ?? []).map((/** @type {any} */ w) => `${DAYS[w.day - 1]} ${clock(w.from)}–${clock(w.to)}`)
  if (hours.length) out.push(`only ${hours.join(', ')} (${grant.zone})`)
  if (grant.uses) out.push(`${times(grant.uses)} in all`)
  if (grant.rate) out.push(`at most ${times(grant.rate.count)} in any ${span(grant.rate.period)}`)
  return out
}

/** How a method's button is called. @param {string} method */
export const label = (method) => ({ open: 'Open', unlock: 'Unlock', lock: 'Lock' })[method] ?? method

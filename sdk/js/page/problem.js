/** What is said when adding a phone fails: what happened, and the next step. */
import { HosError } from '../src/error.js'

const AGAIN = 'Run hos key add-phone on the computer again and open the new link.'

/** @type {Record<string, {title: string, text: string, command?: string}>} */
const WORDS = {
  bad_link: { title: 'The link is damaged', text: 'Something is missing at its end. Scan the code again, or copy the whole link.' },
  no_offer: { title: 'This link is over', text: `A link works for fifteen minutes and once. ${AGAIN}` },
  timeout: { title: 'Nobody answered', text: `The computer did not answer in time. ${AGAIN}` },
  slot_taken: { title: 'This link was used already', text: `A link works once. If that was not you, do not confirm anything on the computer. ${AGAIN}` },
  too_many_boxes: { title: 'The node is full', text: 'Too many phones are being added at the moment. Wait some minutes and try again.' },
  not_sealed: { title: 'Something strange is in the box', text: `The message was not made by whoever made the link. Do not confirm anything on the computer. ${AGAIN}` },
  bad_message: { title: 'The computer asked for something else', text: `What this phone was asked to sign is not what it should be, so it signed nothing. Update the wallet. ${AGAIN}` },
  wrong_phone_key: { title: 'The key does not fit', text: `This phone made a key of a kind that is not known. ${AGAIN}` },
  unreachable: { title: 'No connection', text: 'The node cannot be reached. Check the network of this phone and start again with a new link.' },
  cancelled: { title: 'Stopped', text: `Nothing was added. ${AGAIN}` },
  not_made: { title: 'No key was made', text: 'You did not confirm, or this phone has no screen lock. Set one up if it is missing, then try again.' },
  not_proven: { title: 'Not confirmed', text: 'The phone did not recognise you, or you left its question. Try again.' },
  unavailable: { title: 'This phone gives no key here', text: 'Set up a screen lock (fingerprint, face or PIN), open the page in the phone’s own browser and not in private mode, and try again.' },
}

/**
 * @param {unknown} e
 * @returns {{kind: string, title: string, text: string, command?: string, link?: string}}
 */
export function problemOf(e) {
  const kind = e instanceof HosError ? e.kind : 'internal'
  const detail = e instanceof HosError ? e.detail : String(e)
  if (kind === 'elsewhere') {
    return { kind, title: 'This link is for another page', text: `It was made for ${detail}, and this is ${location.origin}. Open the link as the computer printed it, or run:`, command: `hos key add-phone --url ${location.origin}` }
  }
  if (kind === 'refused') return { kind, title: 'The computer said no', text: `${detail || 'No reason was given'}. Nothing was added. To try again, make a new link there.` }
  return { kind, ...(WORDS[kind] ?? { title: 'That did not work', text: `${detail}. ${AGAIN}` }) }
}

/** Whether a passkey can live on the page as it was opened, and what to do if not. */

const IP = /^(\d{1,3}(\.\d{1,3}){3}|\[.*\])$/

/**
 * Why this place gives no passkey: '' if it does.
 * @param {{protocol: string, hostname: string}} at
 * @param {{secure: boolean, passkeys: boolean, storage: boolean}} has
 * @returns {'' | 'address' | 'insecure' | 'no_passkeys' | 'no_storage'}
 */
export function unfit(at, has) {
  if (IP.test(at.hostname)) return 'address'
  if (!has.secure) return 'insecure'
  if (!has.passkeys) return 'no_passkeys'
  if (!has.storage) return 'no_storage'
  return ''
}

/** The same page under the name localhost, if the address is this very machine's. @param {Location} at */
export function localhostOf(at) {
  if (at.hostname !== '127.0.0.1' && at.hostname !== '[::1]') return ''
  return `${at.protocol}//localhost${at.port ? ':' + at.port : ''}/${at.hash}`
}

/** Whether an offer is for this page. @param {{origin: string, rpId: string}} offer @param {Location} at */
export function fits(offer, at) {
  return offer.origin === at.origin && (at.hostname === offer.rpId || at.hostname.endsWith('.' + offer.rpId))
}

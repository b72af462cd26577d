/** Names on the wire: docs/spec/tx.md. */

/** Whether s can name an endpoint or a method: 1 to 64 of a-z 0-9 _ - . @param {string} s */
export const validName = (s) => /^[a-z0-9_.-]{1,64}$/.test(s)

/** Whether s can name a model: 1 to 64 printable ASCII. @param {string} s */
export const validModel = (s) => /^[ -~]{1,64}$/.test(s)

/** Whether u can be where a file may be had: printable ASCII over https. @param {string} u */
export const validUrl = (u) => u.length <= 256 && /^https:\/\/[!-.0-~][!-~]*$/.test(u)

/** Whether a list of methods is right: 1 to 32 names in strictly rising order. @param {string[]} list */
export function validMethods(list) {
  return list.length > 0 && list.length <= 32 && list.every((m, i) => validName(m) && (i === 0 || list[i - 1] < m))
}

const PEER = /^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/

/**
 * Whether s is an address that may stand on the ledger:
 * /HOST/tcp/PORT[/p2p/ID/p2p-circuit]/p2p/ID, one form for each place.
 * @param {string} s
 */
export function validAddr(s) {
  const p = s.split('/')
  if (s.length > 256 || (p.length !== 7 && p.length !== 10) || p[0] !== '' || !validHost(p[1], p[2]) || p[3] !== 'tcp') return false
  if (!/^[1-9][0-9]{0,4}$/.test(p[4]) || Number(p[4]) > 65535) return false
  const peers = p.slice(5)
  return peers.every((part, i) => (i % 3 === 0 ? part === 'p2p' : i % 3 === 1 ? PEER.test(part) : part === 'p2p-circuit'))
}

/** @param {string} proto @param {string} value */
function validHost(proto, value) {
  switch (proto) {
    case 'ip4':
      return /^\d{1,3}(\.\d{1,3}){3}$/.test(value) && value.split('.').every((o) => Number(o) < 256 && String(Number(o)) === o)
    case 'ip6':
      return validIP6(value)
    case 'dns4':
    case 'dns6':
      return value.split('.').every((l) => l.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(l))
    default:
      return false
  }
}

/** The eight groups of an address in the form of RFC 5952 section 4. @param {string} s */
function validIP6(s) {
  if (!/^[0-9a-f:]{2,39}$/.test(s)) return false
  const sides = s.split('::')
  if (sides.length > 2) return false
  const [left, right] = sides.map((side) => (side === '' ? [] : side.split(':')))
  const zeros = right ? Math.max(0, 8 - left.length - right.length) : 0
  const texts = [...left, ...Array(zeros).fill('0'), ...(right ?? [])]
  if (texts.length !== 8 || !texts.every((g) => /^[0-9a-f]{1,4}$/.test(g))) return false
  const groups = texts.map((g) => parseInt(g, 16))
  if (groups.slice(0, 5).every((g) => g === 0) && groups[5] === 0xffff) return false
  return formatIP6(groups) === s
}

/** Shortens the first of the longest runs of two zeros and more. @param {number[]} groups */
function formatIP6(groups) {
  let from = 0
  let most = 1
  groups.forEach((_, i) => {
    let n = 0
    while (groups[i + n] === 0) n++
    if (n > most) [from, most] = [i, n]
  })
  const text = (/** @type {number[]} */ g) => g.map((n) => n.toString(16)).join(':')
  return most === 1 ? text(groups) : `${text(groups.slice(0, from))}::${text(groups.slice(from + most))}`
}

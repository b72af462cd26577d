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

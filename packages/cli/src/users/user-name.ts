/** What may be a user name: it must fit RFC 1929, HTTP Basic and one line of the users file. */

/** RFC 1929 section 2: ULEN is one octet. */
export const NAME_OCTETS_MAX = 255

/** Why this cannot be a user name, in a few words; `undefined` when it can. */
export function userNameFault(name: string): string | undefined {
  const octets = Buffer.byteLength(name)
  if (octets === 0) return 'a user name must not be empty'
  if (octets > NAME_OCTETS_MAX) return `a user name has at most ${NAME_OCTETS_MAX} octets (RFC 1929)`
  // A colon parts name and password in HTTP Basic (RFC 7617 section 2) and in the users file.
  if (name.includes(':')) return 'a user name must not contain ":"'
  if (/\p{Cc}|\p{Cs}|[\u2028\u2029\uFFFD]/u.test(name)) return 'a user name must not contain control characters'
  if (name.startsWith('#')) return 'a user name must not start with "#"'
  if (name !== name.trim()) return 'a user name must not start or end with a space'
  return undefined
}

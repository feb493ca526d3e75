/**
 * Puts the password back into a login of a transcript, and only where nobody but the server can read it: a transcript may
 * come from anywhere, and must not carry the password to whom it likes. Knows no socket.
 */
import { METHOD, concat } from '@socksmith/protocol'
import type { ProxyPlace } from './proxy-url.ts'
import { type Masked, type Role, type TranscriptEvent, eventOctets, swapCase } from './transcript.ts'

/** What was said on a connection until now. */
export interface Said {
  readonly role: Role
  readonly sent: Uint8Array
  readonly heard: Uint8Array
}

const LOGIN_VERSION = 1
/** A password may be shown to a server that asks for it, and to nobody before. */
const SELECTED = Uint8Array.of(5, METHOD.userPassword)

/** The octets of an event, those of the password in their place; a string is why they are not put there. */
export function unmasked(event: TranscriptEvent, said: Said, proxy: ProxyPlace): Uint8Array | string {
  const octets = eventOctets(event)
  if (event.masked === undefined) return octets
  const { offset, length, from = 0, isCaseSwapped } = event.masked
  const { password } = proxy
  if (password === undefined || password.length < from + length) {
    return 'the transcript holds a login: name the same user and password in the URL'
  }
  const begun = behindGreeting(said)
  const isAskedFor = said.role.kind === 'proxy' && SELECTED.every((octet, index) => said.heard[index] === octet)
  if (begun === undefined || !isAskedFor || !isLogin(octets, event.masked, begun, said, proxy)) {
    return 'the password is sent in a login alone, where the server has just asked for one; here it would go elsewhere'
  }
  const part = password.subarray(from, from + length)
  octets.set(isCaseSwapped === true ? swapCase(part) : part, offset)
  return octets
}

/** What was sent behind the greeting; `undefined` when that is not all that came first. */
function behindGreeting({ sent }: Said): Uint8Array | undefined {
  const length = 2 + (sent[1] ?? 0)
  return sent[0] === 5 && sent.length >= length ? sent.subarray(length) : undefined
}

/** The masked octets are their part of PASSWD in a login of RFC 1929, of which `begun` was sent before. */
function isLogin(octets: Uint8Array, masked: Masked, begun: Uint8Array, { heard }: Said, proxy: ProxyPlace): boolean {
  const { offset, length, from = 0 } = masked
  const all = concat([begun, octets])
  const [version, nameLength = 0] = all
  const place = 3 + nameLength
  const passwordLength = all[place - 1] ?? 0
  const isOwnName = Buffer.from(all.subarray(2, 2 + nameLength)).equals(proxy.username ?? new Uint8Array(0))
  const isInPlace = begun.length + offset === place + from && from + length <= passwordLength
  if (begun.length === 0) {
    // A login of another version may be read as a request. With the user's own name in it, it is none that leads anywhere.
    return isInPlace && all.length >= place + passwordLength && (version === LOGIN_VERSION || isOwnName)
  }
  // Octet by octet, and only as long as the server still reads: whoever has answered may take the rest for something else.
  const isReadOn = octets.length === 1 && heard.length === SELECTED.length
  return isInPlace && isReadOn && version === LOGIN_VERSION && isOwnName
}

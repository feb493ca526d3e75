/**
 * Puts the password back into a login of a transcript, and only where nobody but the server can read it: a transcript may
 * come from anywhere, and must not carry the password to whom it likes. Knows no socket.
 */
import { METHOD } from '@socksmith/protocol'
import type { ProxyPlace } from './proxy-url.ts'
import { type Role, type TranscriptEvent, eventOctets, swapCase } from './transcript.ts'

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
  const { offset, length, isCaseSwapped } = event.masked
  const { password } = proxy
  if (password === undefined || password.length < length) {
    return 'the transcript holds a login: name the same user and password in the URL'
  }
  if (!isLogin(octets, event.masked, proxy) || !isAskedFor(said)) {
    return 'the password is sent in a login alone, where the server has just asked for one; here it would go elsewhere'
  }
  const start = password.subarray(0, length)
  octets.set(isCaseSwapped === true ? swapCase(start) : start, offset)
  return octets
}

/** The masked octets are the beginning of PASSWD in a login of RFC 1929. */
function isLogin(octets: Uint8Array, masked: { offset: number; length: number }, proxy: ProxyPlace): boolean {
  const [version, nameLength = 0] = octets
  const name = octets.subarray(2, 2 + nameLength)
  const passwordLength = octets[2 + nameLength] ?? 0
  const isWhole = octets.length >= 3 + nameLength + passwordLength
  // A login of another version may be read as a request. With the user's own name in it, it is none that leads anywhere.
  const isOwn = version === LOGIN_VERSION || Buffer.from(name).equals(proxy.username ?? new Uint8Array(0))
  return isWhole && isOwn && masked.offset === 3 + nameLength && masked.length <= passwordLength
}

/** The server alone reads on: nothing but a greeting was sent, and it has selected the password. */
function isAskedFor({ role, sent, heard }: Said): boolean {
  const isGreeting = sent[0] === 5 && sent.length === 2 + (sent[1] ?? 0)
  return role.kind === 'proxy' && isGreeting && SELECTED.every((octet, index) => heard[index] === octet)
}

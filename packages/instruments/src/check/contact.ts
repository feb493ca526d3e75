/** The first words with a server: what it says to a greeting, and who it is when it is no SOCKS server. Judges nothing. */
import { METHOD } from '@socksmith/protocol'
import type { Probe } from './probe.ts'

/** What came back, until something was recognised, the connection ended or the time was over. */
export interface Answer {
  readonly octets: Uint8Array
  readonly isOver: boolean
}

const VERSION = 5
const METHODS: ReadonlySet<number> = new Set([METHOD.none, METHOD.userPassword, METHOD.noneAcceptable])

/** What the server says to a greeting with these methods. */
export async function greet(probe: Probe, methods: readonly number[]): Promise<Answer> {
  const dialogue = await probe.open()
  dialogue.greet(...methods)
  const { stream } = dialogue
  await stream.until(() => selectionIn(stream.waiting) !== undefined, probe.timing.patienceMs)
  return { octets: stream.waiting, isOver: stream.ending !== 'open' }
}

/** The greetings of first contact. The third helps a server that waits for more octets than the shortest has. */
export const GREETINGS: Readonly<Record<'none' | 'password' | 'both', readonly number[]>> = {
  none: [METHOD.none],
  password: [METHOD.userPassword],
  both: [METHOD.none, METHOD.userPassword],
}

export type Greetings = Readonly<Record<keyof typeof GREETINGS, Answer>>

/** What the answers to the greetings come to. */
export interface Manners {
  /** A method is selected that can be spoken. */
  readonly isSocks5: boolean
  readonly isOpen: boolean
  readonly takesPassword: boolean
  /** Whoever offers no password is turned away, as is right for a server that wants one. */
  readonly wantsPassword: boolean
}

export function mannersOf(answers: Greetings): Manners {
  const [none, password, both] = [answers.none, answers.password, answers.both].map(one => selectionIn(one.octets))
  const isOpen = (none ?? both) === METHOD.none
  const takesPassword = (password ?? both) === METHOD.userPassword
  return {
    isSocks5: [none, password, both].some(method => method !== undefined && method !== METHOD.noneAcceptable),
    isOpen,
    takesPassword,
    wantsPassword: takesPassword && !isOpen && (none ?? METHOD.noneAcceptable) === METHOD.noneAcceptable,
  }
}

/** The METHOD that an answer selects, also behind a banner: whoever says one still speaks SOCKS5, badly. */
export function selectionIn(octets: Uint8Array): number | undefined {
  if (octets.length < 2) return undefined
  if (octets[0] === VERSION) return octets[1]
  const [version, method = -1] = octets.subarray(-2)
  return version === VERSION && METHODS.has(method) ? method : undefined
}

const OTHER_SCHEME = 'it speaks TLS: SOCKS inside TLS has the scheme socks5+tls://'

/** A sentence about a server that selects no method and grants no SOCKS4 request. */
export function strangerText(greetings: Greetings, isTlsThere: boolean, waitedMs: number): string {
  if (isTlsThere) return OTHER_SCHEME
  const answers = [greetings.none, greetings.password, greetings.both]
  const said = answers.map(({ octets }) => octets).find(octets => octets.length > 0)
  if (said === undefined) {
    return answers.some(({ isOver }) => isOver)
      ? 'it speaks neither SOCKS5 nor SOCKS4: it ends the connection without a word'
      : `it takes the connection, and says nothing to SOCKS5 or SOCKS4 within ${waitedMs / 1_000} s`
  }
  if (selectionIn(said) !== undefined) return 'it speaks SOCKS5, but neither without a password nor with one'
  const [firstLine = ''] = Buffer.from(said)
    .toString('latin1')
    .split(/[\r\n]/, 1)
  if (firstLine.startsWith('SSH-')) return `it is an SSH server and no SOCKS server: it says ${firstLine}`
  if (firstLine.startsWith('HTTP/')) return `it speaks HTTP, and neither SOCKS5 nor SOCKS4: it says ${firstLine}`
  return `it speaks neither SOCKS5 nor SOCKS4: it says ${Buffer.from(said).toString('hex', 0, 16)}`
}

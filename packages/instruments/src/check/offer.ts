/**
 * Which commands and kinds of address a server offers. Only a clear refusal says that it does not: what is granted and then
 * does not work is a fault, and a fault is for the cases to find.
 */
import { ANY_IPV4, type Destination, type Endpoint, NO_ENDPOINT } from '@socksmith/protocol'
import { type Ability, CAN, type Need, lack, unknown } from './ability.ts'
import { at, named } from './dialogue.ts'
import { Finding } from './finding.ts'
import { COMMAND, type Probe } from './probe.ts'
import type { Targets } from './targets.ts'
import { repText } from './words.ts'

/** How a server answers a request. `broken`: octets that are no whole reply. `unasked`: the targets have no such address. */
export type Response =
  | { readonly kind: 'granted' | 'end' | 'silence' | 'broken' | 'unasked'; readonly text: string }
  | { readonly kind: 'refused'; readonly code: number; readonly text: string }

export type Question = (probe: Probe) => Promise<Response>

const NOT_ALLOWED = 2
const NOT_SUPPORTED = 7
/** Set aside for private use, and used by nobody. */
const UNKNOWN_COMMAND = 0x7e

const NO_IPV4: Response = { kind: 'unasked', text: 'the targets have no IPv4 address' }
const NO_IPV6: Response = { kind: 'unasked', text: 'the targets have no IPv6 address' }

function ask5(command: number, to: (targets: Targets) => Destination | undefined): Question {
  return async probe => {
    const place = to(probe.targets)
    if (place === undefined) return NO_IPV6
    const dialogue = await probe.enter()
    dialogue.request(command, place)
    try {
      const reply = await dialogue.replyOrEnd()
      if (reply === undefined) return { kind: 'end', text: 'it ends the connection without a reply' }
      const text = `it answers ${repText(reply.rep)}`
      return reply.rep === 0 ? { kind: 'granted', text } : { kind: 'refused', code: reply.rep, text }
    } catch (error) {
      if (!(error instanceof Finding)) throw error
      const isSilent = dialogue.stream.waiting.length === 0 && dialogue.stream.ending === 'open'
      return { kind: isSilent ? 'silence' : 'broken', text: `it answers ${error.got}` }
    }
  }
}

const echo = (targets: Targets): Endpoint => targets.tcp('echo')

/** What is asked of SOCKS5, once each and rightly. */
export const QUESTIONS_5: Readonly<Record<'connect' | 'name' | 'ipv6' | 'bind' | 'udp' | 'nonsense', Question>> = {
  connect: ask5(COMMAND.connect, echo),
  name: ask5(COMMAND.connect, targets => named(targets.name, targets.port('echo'))),
  ipv6: ask5(COMMAND.connect, targets => targets.address6 && at(targets.address6, targets.port('echo'))),
  bind: ask5(COMMAND.bind, echo),
  udp: ask5(COMMAND.udpAssociate, () => NO_ENDPOINT),
  /** Who answers BIND as this does not know BIND, whatever the answer is. */
  nonsense: ask5(UNKNOWN_COMMAND, echo),
}

type Responses5 = Readonly<Record<keyof typeof QUESTIONS_5, Response>>
type Needs5 = Extract<Need, 'connect' | 'name' | 'ipv4' | 'ipv6' | 'bind' | 'udp'>

/** What the answers say about the abilities of the server. */
export function abilities5(responses: Responses5, { address }: Targets): Readonly<Record<Needs5, Ability>> {
  const connect = demanded(responses.connect)
  return {
    connect,
    name: demanded(responses.name),
    ipv4: address.type === 'ipv4' ? connect : unknown(NO_IPV4.text),
    ipv6: possible(responses.ipv6),
    bind: optional(responses.bind, responses.nonsense),
    udp: optional(responses.udp, responses.nonsense),
  }
}

/** S5-REQ-01 and S5-NAM-01 are asked whatever comes, and fail then: the others would only wait as long and say the same. */
function demanded({ kind, text }: Response): Ability {
  return kind === 'granted' || kind === 'broken' ? CAN : lack(text)
}

/** A host without IPv6 may say so with any code, or by the end. */
function possible({ kind, text }: Response): Ability {
  if (kind === 'unasked') return unknown(text)
  return kind === 'refused' || kind === 'end' ? lack(text) : CAN
}

function optional(response: Response, toNonsense: Response): Ability {
  const isRefused = response.kind === 'refused' && [NOT_ALLOWED, NOT_SUPPORTED].includes(response.code)
  return isRefused || response.kind === 'end' || response.text === toNonsense.text ? lack(response.text) : CAN
}

function ask4(command: number, to: (targets: Targets) => Endpoint, host?: (targets: Targets) => string): Question {
  return async probe => {
    const place = to(probe.targets)
    if (place.address.type !== 'ipv4') return NO_IPV4
    const dialogue = await probe.open()
    const { stream } = dialogue
    dialogue.request4(command, place, host === undefined ? {} : { host: host(probe.targets) })
    await stream.until(() => stream.waiting.length >= 2, probe.timing.patienceMs)
    const [version, code] = stream.waiting
    if (version === undefined) {
      return stream.ending === 'open'
        ? { kind: 'silence', text: 'it does not answer' }
        : { kind: 'end', text: 'it ends the connection without a reply' }
    }
    // 4 in place of 0 is a mistake that servers make (S4-02); anything else is another protocol.
    if ((version !== 0 && version !== 4) || code === undefined) {
      return { kind: 'broken', text: `it answers ${Buffer.from(stream.waiting).toString('hex', 0, 8)}` }
    }
    const isRefusal = code >= REJECTED_FIRST && code <= REJECTED_LAST
    const text = `it answers code ${code}`
    return isRefusal ? { kind: 'refused', code, text } : { kind: 'granted', text }
  }
}

/** SOCKS4: rejected or failed, and the two about ident. */
const REJECTED_FIRST = 91
const REJECTED_LAST = 93

/** What is asked of SOCKS4. The first and the last only know IPv4. */
export const QUESTIONS_4: Readonly<Record<'socks4' | 'socks4a' | 'bind4', Question>> = {
  socks4: ask4(COMMAND.connect, echo),
  socks4a: ask4(
    COMMAND.connect,
    targets => at(ANY_IPV4, targets.port('echo')),
    targets => targets.name,
  ),
  bind4: ask4(COMMAND.bind, echo),
}

export type Responses4 = Readonly<Record<keyof typeof QUESTIONS_4, Response>>

export function abilities4({ socks4, socks4a, bind4 }: Responses4): Readonly<Record<keyof Responses4, Ability>> {
  return { socks4: version4(socks4), socks4a: version4(socks4a), bind4: version4(bind4) }
}

/** A SOCKS4 request that is not granted may as well have met a server without SOCKS4. */
function version4({ kind, text }: Response): Ability {
  if (kind === 'unasked') return unknown(text)
  return kind === 'granted' ? CAN : lack(text)
}

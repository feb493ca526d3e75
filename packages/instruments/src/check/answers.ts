/**
 * What a server said in a transcript, and where it said something else the next time. Ports that it chooses anew are no
 * difference. Knows no socket and no case.
 */
import { type Endpoint, decodeSocks4Reply, decodeSocks5Reply } from '@socksmith/protocol'
import { type EventKind, type Transcript, eventOctets } from './transcript.ts'

/** Where the answers are not the same, for people: `#1 from octet 3 on`. Empty when they are. */
export function differences(before: Transcript, now: Transcript): readonly string[] {
  return before.connections.flatMap(({ number }) => {
    const [old, young] = [answersOn(before, number), answersOn(now, number)]
    // The case may have ended before the server had said all.
    const isCut = old.end === undefined && !old.gaveUp
    const at = firstDifference(old.heard, isCut ? young.heard.subarray(0, old.heard.length) : young.heard)
    if (at !== undefined) return [`#${number} from octet ${at} on`]
    return isCut || young.end === old.end ? [] : [`#${number} by how it ends`]
  })
}

/** Index of the first octet that is not the same, counted from 0. */
function firstDifference(one: Buffer, other: Buffer): number | undefined {
  if (one.equals(other)) return undefined
  const at = one.findIndex((octet, index) => octet !== other[index])
  return at === -1 ? one.length : at
}

interface Answers {
  /** All that the connection heard, with the ports that the server chose blotted out. */
  readonly heard: Buffer
  readonly end: EventKind | undefined
  readonly gaveUp: boolean
}

function answersOn({ events }: Transcript, number: number): Answers {
  const own = events.filter(({ connection }) => connection === number)
  const heard = own.filter(({ kind }) => kind === 'received').map(event => Buffer.from(eventOctets(event)))
  return {
    heard: withoutVisitor(withoutPorts(Buffer.concat(heard))),
    end: own.findLast(({ kind }) => kind === 'fin-received' || kind === 'reset-received')?.kind,
    gaveUp: own.some(({ kind }) => kind === 'gave-up'),
  }
}

/** The port of the server in what the target `who` says: `127.0.0.1:40000` and a line end. */
function withoutVisitor(octets: Buffer): Buffer {
  return Buffer.from(octets.toString('latin1').replace(/:\d{1,5}\n$/, ':\n'), 'latin1')
}

/** BND.PORT of every reply zeroed: the first stands behind the selection and the answer to a login, a BIND has two. */
function withoutPorts(octets: Buffer): Buffer {
  if (isSocks4Reply(octets)) {
    for (let at = 0; isSocks4Reply(octets.subarray(at)); at += SOCKS4_REPLY_OCTETS) octets.fill(0, at + 2, at + 4)
    return octets
  }
  for (const start of REPLY_STARTS) {
    let at = start
    for (let reply = replyAt(octets, at); reply?.kind === 'whole'; reply = replyAt(octets, at)) {
      at += reply.consumed
      octets.fill(0, at - 2, at)
    }
  }
  return octets
}

const SOCKS4_REPLY_OCTETS = 8
const REPLY_STARTS = [2, 4] as const

/** VN may be wrong: that may be what the transcript is about. */
function isSocks4Reply(octets: Uint8Array): boolean {
  const [version, code = 0] = octets
  return octets.length >= SOCKS4_REPLY_OCTETS && (version === 0 || version === 4) && code >= 90 && code <= 93
}

function replyAt(octets: Uint8Array, at: number): ReturnType<typeof decodeSocks5Reply> | undefined {
  return octets[at] === 5 ? decodeSocks5Reply(octets.subarray(at)) : undefined
}

/** BND of the first reply that has one. */
export function boundIn(octets: Uint8Array): Endpoint | undefined {
  if (isSocks4Reply(octets)) {
    const reply = decodeSocks4Reply(octets)
    return reply.kind === 'whole' ? reply.value.bound : undefined
  }
  for (const start of REPLY_STARTS) {
    const reply = replyAt(octets, start)
    if (reply?.kind === 'whole' && reply.value.bound.address.type !== 'domain') {
      return { address: reply.value.bound.address, port: reply.value.bound.port }
    }
  }
  return undefined
}

/**
 * What went over the wire in one case: each connection's octets with their direction and time, as data that can be
 * written down, shown and played again. Passwords are kept out of it. Knows no socket.
 */
import { type Endpoint, formatDestination } from '@socksmith/protocol'

/** Where a connection or a datagram socket of a probe leads. Ports that the server chose are named by what told them. */
export type Role =
  /** To the server. */
  | { readonly kind: 'proxy' }
  /** The peer of a BIND: to the BND.PORT of the first reply on connection `of`. `from` is the address it comes from. */
  | { readonly kind: 'bind-peer'; readonly of: number; readonly from: string }
  /** Datagrams. `from` is the address they come from. */
  | { readonly kind: 'datagrams'; readonly from: string }

export interface TranscriptConnection {
  /** From 1, in the order of opening. */
  readonly number: number
  readonly transport: 'tcp' | 'udp'
  readonly role: Role
  /** For people: the ends of the connection. */
  readonly label: string
}

export const EVENT_KINDS = [
  'open',
  'sent',
  'received',
  'fin-sent',
  'fin-received',
  'reset-sent',
  'reset-received',
  /** What the probe made of the octets above it. */
  'meaning',
  /** The probe gave up waiting. */
  'gave-up',
] as const

export type EventKind = (typeof EVENT_KINDS)[number]

export interface TranscriptEvent {
  /** Since the start of the case. */
  readonly atMs: number
  readonly connection: number
  readonly kind: EventKind
  /** Hex. Octets of a password are 2a. Of long octets only the first: the rest goes on with a period of 251. */
  readonly octets?: string
  /** How many octets they were in all, where `octets` is cut. */
  readonly length?: number
  readonly masked?: Masked
  readonly note?: string
  /** Of a datagram: the other end. `relay-of` when it is the relay that the reply on that connection told. */
  readonly peer?: string
  readonly relayOf?: number
}

/** Where a password stood, and whether its letters were in the other case. */
export interface Masked {
  readonly offset: number
  readonly length: number
  /** Which octet of the password stands first, in a login that is sent octet by octet. Default: 0. */
  readonly from?: number
  readonly isCaseSwapped?: true
}

/** A target that stood ready, so that a replay can open the same one again. */
export interface TranscriptTarget {
  readonly kind: string
  readonly address: string
  readonly port: number
}

export interface Transcript {
  readonly connections: readonly TranscriptConnection[]
  readonly events: readonly TranscriptEvent[]
  readonly targets: readonly TranscriptTarget[]
}

/** How many octets of one event are written down. */
const EVENT_OCTETS_MAX = 2_048
/** Long octets of the suite repeat themselves after so many, so that a replay can go on where the transcript is cut. */
const PERIOD = 251

/** `count` octets that look like anything, with the period of all long octets of the suite. */
export function longOctets(count: number): Uint8Array {
  const period = Uint8Array.from({ length: PERIOD }, (_, index) => (index * 37 + 11) & 0xff)
  return Buffer.alloc(count, period)
}

/** ASCII letters, upper for lower and lower for upper. */
export function swapCase(octets: Uint8Array): Uint8Array {
  return octets.map(octet => (/[a-z]/i.test(String.fromCharCode(octet)) ? octet ^ 0x20 : octet))
}

/** The octets of an event, whole again. Those of a password are stars. */
export function eventOctets(event: TranscriptEvent): Uint8Array {
  const start = Buffer.from(event.octets ?? '', 'hex')
  const whole = Buffer.alloc(event.length ?? start.length)
  start.copy(whole)
  for (let at = start.length; at < whole.length; at++) whole[at] = whole[at - PERIOD] as number
  return whole
}

/** Takes down what happens during one case. */
export class Recorder {
  readonly #startedAtMs: number = performance.now()
  readonly #connections: TranscriptConnection[] = []
  readonly #events: TranscriptEvent[] = []

  open(transport: 'tcp' | 'udp', role: Role, label: string): Line {
    const number = this.#connections.length + 1
    this.#connections.push({ number, transport, role, label })
    const line = new Line(number, event => this.#add(number, event))
    line.event('open')
    return line
  }

  transcript(targets: readonly TranscriptTarget[]): Transcript {
    return { connections: [...this.#connections], events: [...this.#events], targets }
  }

  #add(connection: number, { octets, masked, note, ...rest }: LineEvent): void {
    const atMs = Math.round((performance.now() - this.#startedAtMs) * 10) / 10
    this.#events.push({
      atMs,
      connection,
      ...rest,
      ...(octets === undefined ? {} : written(octets, masked)),
      ...(note === undefined ? {} : { note }),
    })
  }
}

function written(
  octets: Uint8Array,
  masked: Masked | undefined,
): Pick<TranscriptEvent, 'octets' | 'length' | 'masked'> {
  const start = Buffer.from(octets.subarray(0, EVENT_OCTETS_MAX))
  if (masked !== undefined) start.fill(0x2a, masked.offset, masked.offset + masked.length)
  return {
    octets: start.toString('hex'),
    ...(octets.length > start.length ? { length: octets.length } : {}),
    ...(masked === undefined ? {} : { masked }),
  }
}

interface LineEvent {
  readonly kind: EventKind
  readonly octets?: Uint8Array
  readonly masked?: Masked | undefined
  readonly note?: string | undefined
  readonly peer?: string
  readonly relayOf?: number
}

/** One connection's part of the recorder. */
export class Line {
  readonly number: number
  readonly #add: (event: LineEvent) => void

  constructor(number: number, add: (event: LineEvent) => void) {
    this.number = number
    this.#add = add
  }

  event(kind: EventKind, note?: string): void {
    this.#add({ kind, note })
  }

  octets(kind: 'sent' | 'received', octets: Uint8Array, note?: string, masked?: Masked): void {
    this.#add({ kind, octets, note, masked })
  }

  /** A datagram to or from `peer`; `relayOf` when that is the relay which the reply on that connection told. */
  datagram(kind: 'sent' | 'received', octets: Uint8Array, peer: Endpoint, relayOf?: number, note?: string): void {
    this.#add({ kind, octets, note, peer: formatDestination(peer), ...(relayOf === undefined ? {} : { relayOf }) })
  }

  /** What the octets just received mean. */
  meaning(text: string): void {
    this.#add({ kind: 'meaning', note: text })
  }
}

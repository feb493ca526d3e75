/**
 * Plays a transcript again: the same octets in the same order against the same server, and what it answers now. The
 * targets are opened again on the ports that they had; what they did unasked is not played. Judges nothing but "the same
 * or not".
 */
import type { Socket } from 'node:net'
import {
  type Endpoint,
  type IpAddress,
  concat,
  formatAddress,
  formatDestination,
  isUnspecified,
  parseIp,
  unmapped,
} from '@socksmith/protocol'
import { boundIn, differences } from './answers.ts'
import { dial, secure } from './connection.ts'
import { Datagrams, openDatagramSocket } from './datagrams.ts'
import { OctetStream } from './octet-stream.ts'
import { Pace } from './probe.ts'
import type { ProxyPlace } from './proxy-url.ts'
import { isOnThisHost } from '../this-host.ts'
import { openTargets } from './targets.ts'
import type { Timing } from './timing.ts'
import {
  Recorder,
  type Role,
  type Transcript,
  type TranscriptConnection,
  type TranscriptEvent,
  eventOctets,
} from './transcript.ts'
import { unmasked } from './unmask.ts'

export interface ReplayOptions {
  readonly proxy: ProxyPlace
  readonly proxyAddress: IpAddress
  readonly transcript: Transcript
  readonly timing: Timing
  /** New connections a second at most. */
  readonly ratePerSecond: number
  readonly tlsAuthorities?: string
}

export type ReplayOutcome =
  | {
      readonly kind: 'played'
      readonly transcript: Transcript
      /** Where the server said other octets, or ended otherwise; empty when it did the same as before. */
      readonly differences: readonly string[]
    }
  /** A sentence that says why it could not be played. */
  | { readonly kind: 'impossible'; readonly reason: string }

/** Opens the targets, plays all events in order, and compares what came. */
export async function replay(options: ReplayOptions): Promise<ReplayOutcome> {
  const { transcript } = options
  const address = parseIp(transcript.targets[0]?.address ?? '127.0.0.1')
  if (address === undefined) return { kind: 'impossible', reason: 'the address of its targets is none' }
  // A report may come from anywhere: it must not open ports that others reach when the server is on this host.
  if (isOnThisHost(options.proxyAddress)) {
    const outside = [formatAddress(address), ...ownAddresses(transcript)].find(one => !isTextOfThisHost(one))
    if (outside !== undefined)
      return { kind: 'impossible', reason: `its sockets are on ${outside}, and the server is on this host` }
  }
  let targets
  try {
    targets = await openTargets(address, transcript.targets)
  } catch (error) {
    return { kind: 'impossible', reason: `its targets cannot be opened again: ${(error as Error).message}` }
  }
  const player = new Player(options)
  try {
    for (const event of transcript.events) await player.play(event)
    await player.settle()
    const played = player.recorder.transcript(transcript.targets)
    return { kind: 'played', transcript: played, differences: differences(transcript, played) }
  } catch (error) {
    return { kind: 'impossible', reason: (error as Error).message }
  } finally {
    player.dispose()
    await targets.close()
  }
}

function isTextOfThisHost(text: string): boolean {
  const address = parseIp(text)
  return address !== undefined && isOnThisHost(address)
}

/** Where it opens sockets on this host beside the targets. */
function ownAddresses({ connections }: Transcript): readonly string[] {
  return connections.flatMap(({ role }) => (role.kind === 'proxy' ? [] : [role.from]))
}

type Opened = OpenedStream | { readonly datagrams: Datagrams }

interface OpenedStream {
  readonly stream: OctetStream
  readonly role: Role
  /** The first octets that were sent, up to one more than a greeting and a login can have. */
  sent: Uint8Array
}

const ENTRY_OCTETS_MAX = 2 + 255 + 3 + 255 + 255

class Player {
  readonly recorder: Recorder = new Recorder()
  readonly #options: ReplayOptions
  readonly #pace: Pace
  readonly #opened = new Map<number, Opened>()
  readonly #sockets: Socket[] = []
  /** Octets that each connection had to hear until now. */
  readonly #heard = new Map<number, number>()

  constructor(options: ReplayOptions) {
    this.#options = options
    this.#pace = new Pace(options.ratePerSecond)
  }

  async play(event: TranscriptEvent): Promise<void> {
    if (event.kind === 'open') return this.#open(event.connection)
    const opened = this.#opened.get(event.connection)
    if (opened === undefined) throw new Error(`connection ${event.connection} was never opened`)
    if ('datagrams' in opened) return this.#playDatagram(event, opened.datagrams)
    const { stream } = opened
    switch (event.kind) {
      case 'sent':
        this.#send(event, opened)
        break
      case 'received': {
        const heard = (this.#heard.get(event.connection) ?? 0) + eventOctets(event).length
        this.#heard.set(event.connection, heard)
        await stream.until(() => stream.waiting.length >= heard, this.#options.timing.patienceMs)
        break
      }
      case 'fin-sent':
        stream.finish()
        break
      case 'reset-sent':
        stream.reset()
        break
      case 'fin-received':
      case 'reset-received':
        await stream.end(this.#options.timing.patienceMs)
        break
      case 'gave-up': {
        const heard = this.#heard.get(event.connection) ?? 0
        await stream.until(() => stream.waiting.length > heard, this.#options.timing.patienceMs)
        break
      }
      case 'meaning':
    }
  }

  /** Whatever still comes where the transcript ends. */
  async settle(): Promise<void> {
    await new Promise(resolve => setTimeout(resolve, this.#options.timing.quietMs))
  }

  dispose(): void {
    for (const opened of this.#opened.values()) if ('datagrams' in opened) opened.datagrams.dispose()
    // What lies upon another goes first: TLS before the socket that carries it.
    for (const socket of this.#sockets.toReversed()) socket.destroy()
  }

  async #open(number: number): Promise<void> {
    const about = this.#options.transcript.connections.find(one => one.number === number)
    if (about === undefined) throw new Error(`connection ${number} is not described`)
    const line = this.recorder.open(about.transport, about.role, about.label)
    if (about.role.kind === 'datagrams') {
      const { socket, local } = await openDatagramSocket(parseIp(about.role.from) as IpAddress)
      this.#opened.set(number, { datagrams: new Datagrams(socket, local, line) })
      return
    }
    const { socket, tcp } = await this.#connect(about)
    const stream = new OctetStream(socket, line, this.#options.timing.patienceMs, tcp)
    this.#opened.set(number, { stream, role: about.role, sent: new Uint8Array(0) })
  }

  async #connect({ role }: TranscriptConnection): Promise<{ readonly socket: Socket; readonly tcp: Socket }> {
    const { proxy, proxyAddress, tlsAuthorities } = this.#options
    const limitMs = this.#options.timing.patienceMs
    const isPeer = role.kind === 'bind-peer'
    const to = isPeer ? this.#boundOn(role.of) : { address: proxyAddress, port: proxy.port }
    await this.#pace.step()
    const { socket: tcp, ready } = dial(to, { limitMs, from: isPeer ? parseIp(role.from) : undefined })
    this.#sockets.push(tcp)
    await ready
    if (isPeer || !proxy.isTls) return { socket: tcp, tcp }
    const { secured, ready: spoken } = secure(tcp, { host: proxy.host, limitMs, authorities: tlsAuthorities })
    this.#sockets.push(secured)
    await spoken
    return { socket: secured, tcp }
  }

  // The other end of a datagram: the relay that was told this time, or whoever it was.
  #playDatagram(event: TranscriptEvent, datagrams: Datagrams): Promise<void> {
    if (event.kind === 'sent') {
      const to = event.relayOf === undefined ? this.#serverAt(event.peer) : this.#boundOn(event.relayOf)
      datagrams.send(eventOctets(event), to, event.relayOf, event.note)
    }
    return event.kind === 'received' || event.kind === 'gave-up' ? this.#heardDatagram(datagrams) : Promise.resolve()
  }

  async #heardDatagram(datagrams: Datagrams): Promise<void> {
    await datagrams.receive(this.#options.timing.patienceMs)
  }

  /** BND of the first reply with one on a connection of this replay. */
  #boundOn(number: number): Endpoint {
    const opened = this.#opened.get(number)
    const waiting = opened !== undefined && 'stream' in opened ? opened.stream.waiting : new Uint8Array(0)
    const bound = boundIn(waiting)
    if (bound === undefined) throw new Error(`the server told no place on connection ${number} this time`)
    const address = isUnspecified(bound.address) ? this.#options.proxyAddress : unmapped(bound.address)
    return { address, port: bound.port }
  }

  /** A datagram that goes to no relay goes to the server itself; a report must not make this host write to others. */
  #serverAt(peer = ''): Endpoint {
    const port = Number(/:(\d+)$/.exec(peer)?.[1])
    const { proxyAddress: address, proxy } = this.#options
    if (peer !== formatDestination({ address, port }))
      throw new Error(`a datagram goes to ${peer}, which is not the server`)
    return { address, port: proxy.port }
  }

  #send(event: TranscriptEvent, opened: OpenedStream): void {
    const { stream, role, sent } = opened
    // Nothing is taken out of the stream, so that what waits is all that was heard.
    const octets = unmasked(event, { role, sent, heard: stream.waiting }, this.#options.proxy)
    if (typeof octets === 'string') throw new Error(octets)
    opened.sent = concat([sent, octets.subarray(0, ENTRY_OCTETS_MAX + 1)]).subarray(0, ENTRY_OCTETS_MAX + 1)
    stream.send(octets, event.note, event.masked)
  }
}

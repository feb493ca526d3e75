/**
 * What a case has in hand: connections to the server, datagram sockets, the targets, and the words of SOCKS. Keeps the
 * rate of new connections and closes everything after the case. Judges nothing.
 */
import type { Socket } from 'node:net'
import { type Endpoint, type IpAddress, METHOD, formatAddress, formatDestination } from '@socksmith/protocol'
import type { Abilities } from './ability.ts'
import { dial, secure } from './connection.ts'
import { Datagrams, addressTowards, openDatagramSocket } from './datagrams.ts'
import { Dialogue } from './dialogue.ts'
import { OctetStream, pause } from './octet-stream.ts'
import type { ProxyPlace } from './proxy-url.ts'
import type { Targets } from './targets.ts'
import type { Timing } from './timing.ts'
import { Recorder, type Role, type Transcript } from './transcript.ts'

/** What stays the same for all cases of a run. */
export interface Surroundings {
  readonly proxy: ProxyPlace
  /** The address that `proxy.host` stands for. */
  readonly proxyAddress: IpAddress
  readonly targets: Targets
  readonly timing: Timing
  readonly abilities: Abilities
  /** Certificates that are believed in place of the system's, PEM. */
  readonly tlsAuthorities?: string
}

/** Lets pass one connection at a time, so that no more than the rate are opened. */
export class Pace {
  readonly #spacingMs: number
  #nextMs = 0

  constructor(perSecond: number) {
    this.#spacingMs = 1_000 / perSecond
  }

  async step(): Promise<void> {
    const now = performance.now()
    const waitMs = this.#nextMs - now
    this.#nextMs = Math.max(now, this.#nextMs) + this.#spacingMs
    if (waitMs > 0) await pause(waitMs)
  }
}

export class Probe {
  readonly proxy: ProxyPlace
  readonly proxyAddress: IpAddress
  readonly targets: Targets
  readonly timing: Timing
  readonly abilities: Abilities
  readonly #surroundings: Surroundings
  readonly #pace: Pace
  readonly #recorder: Recorder = new Recorder()
  readonly #open: { dispose(): void }[] = []

  constructor(surroundings: Surroundings, pace: Pace) {
    this.#surroundings = surroundings
    this.#pace = pace
    this.proxy = surroundings.proxy
    this.proxyAddress = surroundings.proxyAddress
    this.targets = surroundings.targets
    this.timing = surroundings.timing
    this.abilities = surroundings.abilities
  }

  /** A new connection to the server, by default from the address of the system's choice. */
  async open(from?: IpAddress): Promise<Dialogue> {
    const { host, port, isTls } = this.proxy
    const socket = await this.#connect({ address: this.proxyAddress, port }, from)
    const secured = isTls ? await this.#secure(socket, host) : socket
    const entryMethod = this.abilities.auth.has ? METHOD.userPassword : METHOD.none
    const { proxy, timing } = this
    return new Dialogue(this.#streamOf(secured, { kind: 'proxy' }, socket), { proxy, timing, entryMethod })
  }

  /** The server takes a TLS handshake, whatever its certificate. */
  async speaksTls(): Promise<void> {
    const { host, port } = this.proxy
    const socket = await this.#connect({ address: this.proxyAddress, port })
    const limitMs = this.timing.patienceMs
    const { secured, ready } = secure(socket, { host, limitMs, isCertificateChecked: false })
    this.#open.push({ dispose: () => secured.destroy() })
    await ready
  }

  /** A connection to the server that has chosen a method and logged in: the request is next. */
  async enter(): Promise<Dialogue> {
    const dialogue = await this.open()
    await dialogue.enter()
    return dialogue
  }

  /** A tunnel to an endpoint, ready for octets. */
  async tunnel(to: Endpoint): Promise<Dialogue> {
    const dialogue = await this.enter()
    dialogue.request(COMMAND.connect, to)
    await dialogue.success()
    return dialogue
  }

  /** A connection to where a BIND listens, as its peer, from an address of this host. */
  async connectAsPeer(bound: Endpoint, of: Dialogue, from: IpAddress = this.targets.address): Promise<OctetStream> {
    const socket = await this.#connect(bound, from)
    const role = { kind: 'bind-peer', of: of.stream.line.number, from: formatAddress(from) } as const
    return this.#streamOf(socket, role)
  }

  /** A datagram socket; by default at the address from which connections to the server come. */
  async datagrams(from?: IpAddress): Promise<Datagrams> {
    const { socket, local } = await openDatagramSocket(from ?? (await addressTowards(this.proxyAddress)))
    const line = this.#recorder.open(
      'udp',
      { kind: 'datagrams', from: formatAddress(local.address) },
      `from ${formatDestination(local)}`,
    )
    const datagrams = new Datagrams(socket, local, line)
    this.#open.push(datagrams)
    return datagrams
  }

  transcript(): Transcript {
    return this.#recorder.transcript(this.targets.describe())
  }

  dispose(): void {
    // What lies upon another goes first: TLS before the socket that carries it.
    for (const one of this.#open.toReversed()) one.dispose()
  }

  async #connect(to: Endpoint, from?: IpAddress): Promise<Socket> {
    await this.#pace.step()
    const { socket, ready } = dial(to, { limitMs: this.timing.patienceMs, from })
    this.#open.push({ dispose: () => socket.destroy() })
    await ready
    return socket
  }

  async #secure(socket: Socket, host: string): Promise<Socket> {
    const { tlsAuthorities: authorities } = this.#surroundings
    const { secured, ready } = secure(socket, { host, authorities, limitMs: this.timing.patienceMs })
    this.#open.push({ dispose: () => secured.destroy() })
    await ready
    return secured
  }

  #streamOf(socket: Socket, role: Role, tcp: Socket = socket): OctetStream {
    const ends = `${tcp.localAddress ?? '?'}:${tcp.localPort ?? 0} to ${tcp.remoteAddress ?? '?'}:${tcp.remotePort ?? 0}`
    return new OctetStream(socket, this.#recorder.open('tcp', role, ends), this.timing.patienceMs, tcp)
  }
}

/** CMD of a request, in SOCKS5 and SOCKS4 (there is no UDP in 4). */
export const COMMAND = { connect: 0x01, bind: 0x02, udpAssociate: 0x03 } as const

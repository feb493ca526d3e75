/**
 * UDP ASSOCIATE (RFC 1928 sections 6 and 7): a socket that the client sends to, a socket for each family towards the
 * targets, and the protocol's rules between them. The association lives as long as its TCP connection.
 */
import type { DatagramSocket, Idling } from '@socksmith/engine'
import {
  type Destination,
  type Endpoint,
  type Failure,
  type IpAddress,
  ANY_IPV4,
  ANY_IPV6,
  NO_ENDPOINT,
  UdpAssociation,
  encodeSocks5Datagram,
  failure,
  plainAddress,
} from '@socksmith/protocol'
import { advertised } from './advertise.ts'
import type { Share } from './limit/lease.ts'
import { UdpLimits } from './limit/udp-limits.ts'
import { outgoingAddress } from './context.ts'
import { openInRange } from './port-range.ts'
import type { SessionEnd } from './record.ts'
import type { Session } from './session.ts'
import type { Carried } from './session-record.ts'
import type { Granted } from './session-rules.ts'
import { allowedTargets } from './target.ts'
import { UdpRules } from './udp-rules.ts'
import { type UdpVia, type UdpViaOpening, openUdpVia } from './udp-via.ts'
import { TokenBucket } from './token-bucket.ts'
import { type WayOut, wayOut } from './way-out.ts'

/** Datagrams of one association that wait for a name to be resolved or a socket to be opened. */
const WAITING_DATAGRAMS_MAX = 64

/** A client on a Unix socket is on this host. */
const HOST_LOOPBACK: IpAddress = { type: 'ipv4', octets: Uint8Array.of(127, 0, 0, 1) }

export function serveUdpAssociate(session: Session): void {
  const work = new UdpWork(session)
  session.attach(work)
  void work.open()
}

class UdpWork implements Idling {
  readonly #session: Session
  readonly #association: UdpAssociation
  readonly #bucket: TokenBucket
  #isAdmitted: boolean
  readonly #rules: UdpRules
  readonly #limits: UdpLimits
  readonly #outside: { ipv4?: Promise<DatagramSocket | Failure>; ipv6?: Promise<DatagramSocket | Failure> } = {}
  readonly #opened: { ipv4?: DatagramSocket; ipv6?: DatagramSocket } = {}
  #known: KnownDestination | undefined
  /** The last sender that was let through, mostly the next one too. An engine hands out one object for one sender. */
  #knownSender: KnownSender | undefined
  #inside: DatagramSocket | undefined
  /** In place of sockets, where the route leads by other servers. */
  readonly #way: WayOut | undefined
  #opening: UdpViaOpening | undefined
  #via: UdpVia | undefined
  #waiting = 0
  #lastActivityMs: number
  #clientToTarget = 0
  #targetToClient = 0
  #isOver = false

  constructor(session: Session) {
    this.#session = session
    const { limits, engine, admission, options, gate } = session.context
    this.#way = wayOut(session.context, NO_ENDPOINT, 'udp')
    this.#isAdmitted = admission.take('udpAssociations')
    this.#rules = new UdpRules(
      gate,
      () => session.facts('udp-associate'),
      () => engine.clock.monotonicMs(),
      (granted, endpoint) => this.#admit(granted, endpoint),
    )
    this.#limits = new UdpLimits(session.limits)
    this.#association = new UdpAssociation({
      client: session.origin.client.kind === 'ip' ? session.origin.client.endpoint.address : HOST_LOOPBACK,
      reassemble: options.udp?.reassemble === true,
      // The server behind lets through who may answer, and names are known to it alone.
      fullCone: options.udp?.fullCone === true || this.#way !== undefined,
    })
    this.#bucket = new TokenBucket(limits.udpDatagramsPerSecond, engine.clock)
    this.#lastActivityMs = engine.clock.monotonicMs()
  }

  get carried(): Carried {
    return { clientToTarget: this.#clientToTarget, targetToClient: this.#targetToClient }
  }

  async open(): Promise<void> {
    const session = this.#session
    const { context, connection, origin } = session
    if (!this.#isAdmitted) return session.refuse(failure('too_busy', 'us', 'too many UDP associations'))
    const facts = session.facts('udp-associate')
    const ruling = context.gate.ask(facts)
    if (ruling.refusal !== undefined) {
      this.#close()
      return session.refuse(ruling.refusal, ruling)
    }
    const granted = { ...ruling, facts }
    const limited = session.limits.hold(granted)
    if (limited !== undefined) {
      this.#close()
      return session.refuse(limited, granted)
    }
    session.noteGranted(granted)
    const fault = await this.#openVia()
    if (this.#isOver) return
    if (fault !== undefined) {
      this.#close()
      return session.refuse(fault)
    }
    const address = connection.local.kind === 'ip' ? connection.local.endpoint.address : HOST_LOOPBACK
    const socket = await openInRange(context.options.udp?.ports, port =>
      context.engine.openDatagrams(
        { address, port },
        { onDatagram: (octets, from) => this.#fromClient(octets, from), onFailure: () => {} },
      ),
    )
    if ('code' in socket) {
      this.#close()
      return session.refuse(socket)
    }
    if (this.#isOver) return socket.close()
    this.#inside = socket
    context.idleWheel.watch(this)
    session.grant(advertised(origin.listener, socket.local))
    session.takeRemainder()
    connection.resume()
  }

  /** Asks the servers on the route, if there is one; why it cannot be. */
  async #openVia(): Promise<Failure | undefined> {
    if (this.#way === undefined) return undefined
    this.#opening = openUdpVia(this.#session.context, this.#way, {
      onDatagram: (octets, from) => this.#fromVia(octets, from),
      onClose: () => this.#end('target-finished'),
    })
    const via = await this.#opening.result
    if ('code' in via) return via
    if (this.#isOver) via.close()
    this.#via = via
    this.#session.noteVia(via.via)
    return undefined
  }

  // Section 7: the association ends with its TCP connection; a client that sends FIN has finished with it.
  onClientEnd(): void {
    this.#end('client-finished')
  }

  abandon(): void {
    this.#end('client-left')
  }

  reconsider(): void {
    this.#known = undefined
    this.#knownSender = undefined
    this.#via?.forgetNames()
    this.#limits.forget()
    this.#rules.reconsider()
  }

  idleAtMs(): number {
    const udpIdleMs = this.#session.limits.idleMs(this.#session.context.limits.udpIdleMs)
    return udpIdleMs === 0 ? Infinity : this.#lastActivityMs + udpIdleMs
  }

  onIdle(): void {
    this.#end('idle')
  }

  #end(end: SessionEnd): void {
    if (this.#isOver) return
    this.#close()
    this.#session.finishWork(end, this.carried)
  }

  #close(): void {
    this.#isOver = true
    this.#association.close()
    this.#session.context.idleWheel.forget(this)
    this.#inside?.close()
    this.#opening?.cancel()
    this.#via?.close()
    for (const socket of Object.values(this.#outside)) {
      void socket.then(opened => !('code' in opened) && opened.close())
    }
    if (this.#isAdmitted) this.#session.context.admission.giveBack('udpAssociations')
    this.#isAdmitted = false
  }

  #fromClient(octets: Uint8Array, from: Endpoint): void {
    const nowMs = this.#session.context.engine.clock.monotonicMs()
    const result = this.#association.fromClient(octets, from, nowMs)
    if (result.kind !== 'relay') return
    this.#lastActivityMs = nowMs
    if (!this.#bucket.take()) return
    const known = this.#known
    // Mostly the destination of the datagram before: judged, contacted, and its socket is open.
    if (known !== undefined && result.destination === known.destination && nowMs < known.untilMs) {
      return this.#sendNow(known.socket, known.endpoint, result.data, known.share)
    }
    const address = plainAddress(result.destination.address)
    if (address.type === 'domain') return this.#sendToName(result.destination, new Uint8Array(result.data))
    const endpoint = { address, port: result.destination.port }
    if (this.#rules.refusalOf(endpoint) !== undefined) return
    const socket = this.#sendTo(endpoint, result.data)
    const { freshUntilMs: untilMs } = this.#rules
    const share = this.#limits.shareOf(endpoint)
    if (socket !== undefined) this.#known = { destination: result.destination, endpoint, socket, share, untilMs }
  }

  /** Sends, now or when there is a socket; answers the socket that has sent. */
  #sendTo(endpoint: Endpoint, data: Uint8Array): DatagramSocket | undefined {
    const association = this.#association
    if (!association.hasContacted(endpoint.address)) {
      if (association.contactedCount >= this.#session.context.limits.udpRemotes) return undefined
      association.contacted(endpoint.address)
    }
    const family = endpoint.address.type
    const open = this.#opened[family]
    if (open !== undefined) this.#sendNow(open, endpoint, data, this.#limits.shareOf(endpoint))
    else this.#sendWhenOpen(family, endpoint, new Uint8Array(data))
    return open
  }

  #sendNow(socket: DatagramSocket, endpoint: Endpoint, data: Uint8Array, share: Share | undefined): void {
    if (share?.up.takeDatagram(data.length) === false) return
    this.#clientToTarget += data.length
    socket.send(data, endpoint)
  }

  #sendWhenOpen(family: 'ipv4' | 'ipv6', endpoint: Endpoint, data: Uint8Array): void {
    if (this.#waiting >= WAITING_DATAGRAMS_MAX) return
    this.#waiting++
    this.#outside[family] ??= this.#openOutside(family)
    void this.#outside[family].then(socket => {
      this.#waiting--
      if ('code' in socket || this.#isOver) return
      this.#opened[family] = socket
      this.#sendNow(socket, endpoint, data, this.#limits.shareOf(endpoint))
    })
  }

  #openOutside(family: 'ipv4' | 'ipv6'): Promise<DatagramSocket | Failure> {
    if (this.#via !== undefined) return Promise.resolve(this.#via)
    const { context } = this.#session
    const any = family === 'ipv4' ? ANY_IPV4 : ANY_IPV6
    return context.engine.openDatagrams(
      { address: outgoingAddress(context, any) ?? any, port: 0 },
      { onDatagram: (octets, from, room) => this.#fromRemote(octets, from, room), onFailure: () => {} },
    )
  }

  #sendToName(destination: Destination, data: Uint8Array): void {
    if (this.#waiting >= WAITING_DATAGRAMS_MAX) return
    this.#waiting++
    const { context } = this.#session
    const facts = this.#session.facts('udp-associate')
    void Promise.resolve(allowedTargets(context, facts, destination, this.#way)).then(candidates => {
      this.#waiting--
      if (this.#isOver || 'failure' in candidates) return
      // IPv4 first: a datagram has no second try, and more hosts have working IPv4 than working IPv6.
      const candidate = candidates.find(one => one.to.address.type === 'ipv4') ?? candidates[0]
      if (candidate === undefined) return
      const { address, port } = candidate.to
      if (this.#admit(candidate, candidate.to) !== undefined) return
      if (address.type === 'domain') {
        if (this.#limits.shareOf(candidate.to)?.up.takeDatagram(data.length) === false) return
        if (this.#via?.sendToName(data, candidate.to) === true) this.#clientToTarget += data.length
        return
      }
      const to = { address, port }
      this.#rules.reach(destination, { ...candidate, to })
      this.#sendTo(to, data)
    })
  }

  #fromVia(data: Uint8Array, from: Destination): void {
    const { address, port } = from
    const isNamed = this.#via?.mayBeNamed(from) === true
    if (address.type === 'domain') {
      const to = this.#association.clientEndpoint
      if (!isNamed || to === undefined) return
      if (this.#limits.shareOf(from)?.down.takeDatagram(data.length) === false) return
      this.#lastActivityMs = this.#session.context.engine.clock.monotonicMs()
      this.#targetToClient += data.length
      return this.#inside?.send(encodeSocks5Datagram({ frag: 0, destination: from, data }), to)
    }
    const isAsked = isNamed || this.#association.hasContacted(address)
    if (isAsked || this.#session.context.options.udp?.fullCone === true)
      this.#fromRemote(data, { address, port }, 0, isNamed)
  }

  #fromRemote(octets: Uint8Array, from: Endpoint, room: number, isNamed = false): void {
    const result = this.#association.fromRemote(octets, from, room)
    if (result.kind === 'drop' || this.#inside === undefined) return
    const nowMs = this.#session.context.engine.clock.monotonicMs()
    if (!isNamed && !this.#mayAnswer(from, nowMs)) return
    const share = isNamed ? this.#limits.shareOf(from) : this.#knownSender?.share
    if (share?.down.takeDatagram(octets.length) === false) return
    this.#lastActivityMs = nowMs
    this.#targetToClient += octets.length
    this.#inside.send(result.octets, result.to)
  }

  #mayAnswer(from: Endpoint, nowMs: number): boolean {
    const known = this.#knownSender
    if (known !== undefined && known.from === from && nowMs < known.untilMs) return true
    const isForeign = !this.#association.hasContacted(from.address)
    if (!this.#rules.mayAnswer(from, isForeign)) return false
    // Who was written to may answer until the rules change.
    const untilMs = isForeign ? this.#rules.freshUntilMs : Infinity
    this.#knownSender = { from, untilMs, share: this.#limits.shareOf(from) }
    return true
  }

  /** What the rules have allowed, under its limits. */
  #admit(granted: Granted, destination: Destination): Failure | undefined {
    const refused = this.#limits.admit(granted, destination)
    // Its limits may let it be idle for a shorter time.
    if (refused === undefined && this.#inside !== undefined) this.#session.context.idleWheel.watch(this)
    return refused
  }
}

/** Where the last datagram went, so that the next one to it asks nobody. */
interface KnownDestination {
  readonly destination: Destination
  readonly endpoint: Endpoint
  readonly socket: DatagramSocket
  readonly share: Share | undefined
  /** When the rules are to be asked again. */
  readonly untilMs: number
}

interface KnownSender {
  readonly from: Endpoint
  readonly share: Share | undefined
  readonly untilMs: number
}

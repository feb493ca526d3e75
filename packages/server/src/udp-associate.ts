/**
 * UDP ASSOCIATE (RFC 1928 sections 6 and 7): a socket that the client sends to, a socket for each family towards the
 * targets, and the protocol's rules between them. The association lives as long as its TCP connection.
 */
import type { DatagramSocket, Idling } from '@socksmith/engine'
import type { Decision } from '@socksmith/policy'
import {
  type Destination,
  type Endpoint,
  type Failure,
  type IpAddress,
  UdpAssociation,
  encodeSocks5Datagram,
  failure,
  plainAddress,
} from '@socksmith/protocol'
import { advertised } from './advertise.ts'
import type { Share } from './limit/lease.ts'
import { UdpLimits } from './limit/udp-limits.ts'
import { openInRange } from './port-range.ts'
import type { SessionEnd } from './record.ts'
import type { Session } from './session.ts'
import type { Carried } from './session-record.ts'
import type { Granted } from './session-rules.ts'
import { allowedTargets, redirectOf } from './target.ts'
import { UdpRules } from './udp-rules.ts'
import { UdpOutside } from './udp-outside.ts'
import type { UdpVia } from './udp-via.ts'
import { TokenBucket } from './token-bucket.ts'
import { type Going, type WayOut, familyFault, firstFamily } from './way-out.ts'

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
  /** By the names of the ways. */
  readonly #outsides = new Map<string, UdpOutside>()
  readonly #going: Going
  #known: KnownDestination | undefined
  /** The last sender that was let through, mostly the next one too. An engine hands out one object for one sender. */
  #knownSender: KnownSender | undefined
  #inside: DatagramSocket | undefined
  #waiting = 0
  #lastActivityMs: number
  #clientToTarget = 0
  #targetToClient = 0
  #isOver = false

  constructor(session: Session) {
    this.#session = session
    const { limits, engine, admission, options, gate } = session.context
    this.#going = session.going({ scheme: 'udp' })
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
      // Who may answer is asked for each way: a server behind knows the names that were written to alone.
      fullCone: true,
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
    const fault = await this.#openWay(ruling.decision)
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

  /** Asks the servers of the way that is certain already, if there is one; why it cannot be. */
  async #openWay(decision: Decision | undefined): Promise<Failure | undefined> {
    if (decision?.verdict === 'open') return undefined
    const way = this.#going.by(decision)
    if ('code' in way) return way
    const outside = this.#outsideBy(way)
    if (way.route !== undefined) {
      const via = await outside.whenPath()
      if ('code' in via) return via
    }
    this.#session.noteVia(outside.text)
    return undefined
  }

  #outsideBy(way: WayOut): UdpOutside {
    const known = this.#outsides.get(way.name)
    if (known !== undefined) return known
    const outside: UdpOutside = new UdpOutside(this.#session.context, way, {
      onDatagram: (octets, from, room) => this.#fromRemote(octets, from, room),
      onDatagramVia: (octets, from, via) => this.#fromVia(octets, from, via),
      onGone: () => this.#onGone(outside),
    })
    this.#outsides.set(way.name, outside)
    return outside
  }

  // Of several ways one may end; the next datagram to go by it opens it anew.
  #onGone(outside: UdpOutside): void {
    if (this.#outsides.size === 1) return this.#end('target-finished')
    this.#outsides.delete(outside.way.name)
    this.#known = undefined
    outside.close()
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
    for (const { via } of this.#outsides.values()) via?.forgetNames()
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
    for (const outside of this.#outsides.values()) outside.close()
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
    if (address.type === 'domain') return this.#sendToAllowed(result.destination, new Uint8Array(result.data))
    const endpoint = { address, port: result.destination.port }
    const { refusal, decision } = this.#rules.judge(endpoint)
    if (refusal !== undefined) return
    if (redirectOf(decision) !== undefined) return this.#sendToAllowed(result.destination, new Uint8Array(result.data))
    const way = this.#going.by(decision)
    if ('code' in way || familyFault(way, address) !== undefined) return
    const socket = this.#sendTo(endpoint, way, result.data)
    const { freshUntilMs: untilMs } = this.#rules
    const share = this.#limits.shareOf(endpoint)
    if (socket !== undefined) this.#known = { destination: result.destination, endpoint, socket, share, untilMs }
  }

  /** Sends, now or when there is a socket; answers the socket that has sent. */
  #sendTo(endpoint: Endpoint, way: WayOut, data: Uint8Array): DatagramSocket | undefined {
    const association = this.#association
    if (!association.hasContacted(endpoint.address)) {
      if (association.contactedCount >= this.#session.context.limits.udpRemotes) return undefined
      association.contacted(endpoint.address)
    }
    const family = endpoint.address.type
    const outside = this.#outsideBy(way)
    const open = outside.open(family)
    if (open !== undefined) this.#sendNow(open, endpoint, data, this.#limits.shareOf(endpoint))
    else this.#sendWhenOpen(outside, endpoint, new Uint8Array(data))
    return open
  }

  #sendNow(socket: DatagramSocket, endpoint: Endpoint, data: Uint8Array, share: Share | undefined): void {
    if (share?.up.takeDatagram(data.length) === false) return
    this.#clientToTarget += data.length
    socket.send(data, endpoint)
  }

  #sendWhenOpen(outside: UdpOutside, endpoint: Endpoint, data: Uint8Array): void {
    if (this.#waiting >= WAITING_DATAGRAMS_MAX) return
    this.#waiting++
    void outside.whenOpen(endpoint.address.type).then(socket => {
      this.#waiting--
      if ('code' in socket || this.#isOver) return
      this.#session.noteVia(outside.text)
      this.#sendNow(socket, endpoint, data, this.#limits.shareOf(endpoint))
    })
  }

  /** Sends to what is allowed of the addresses of a name, or to what the rules name instead. */
  #sendToAllowed(destination: Destination, data: Uint8Array): void {
    if (this.#waiting >= WAITING_DATAGRAMS_MAX) return
    this.#waiting++
    const { context } = this.#session
    const facts = this.#session.facts('udp-associate')
    void Promise.resolve(allowedTargets(context, facts, destination, this.#going)).then(allowed => {
      this.#waiting--
      if (this.#isOver || 'failure' in allowed) return
      const { candidates, way } = allowed
      // A datagram has no second try. IPv4 first, unless the way prefers the other: more hosts have working IPv4.
      const family = firstFamily(way) ?? 'ipv4'
      const candidate = candidates.find(one => one.to.address.type === family) ?? candidates[0]
      if (candidate === undefined) return
      const { address, port } = candidate.to
      if (this.#admit(candidate, candidate.to) !== undefined) return
      if (address.type === 'domain') return this.#leaveName(way, candidate.to, data)
      const to = { address, port }
      this.#rules.reach(destination, { ...candidate, to })
      this.#sendTo(to, way, data)
    })
  }

  /** Sends to a name that the last server of the way resolves. */
  #leaveName(way: WayOut, to: Destination, data: Uint8Array): void {
    if (this.#waiting >= WAITING_DATAGRAMS_MAX) return
    this.#waiting++
    const outside = this.#outsideBy(way)
    void outside.whenPath().then(via => {
      this.#waiting--
      if ('code' in via || this.#isOver) return
      this.#session.noteVia(outside.text)
      if (this.#limits.shareOf(to)?.up.takeDatagram(data.length) === false) return
      if (via.sendToName(data, to)) this.#clientToTarget += data.length
    })
  }

  #fromVia(data: Uint8Array, from: Destination, via: UdpVia): void {
    const { address, port } = from
    const isNamed = via.mayBeNamed(from)
    if (address.type === 'domain') {
      const to = this.#association.clientEndpoint
      if (!isNamed || to === undefined) return
      if (this.#limits.shareOf(from)?.down.takeDatagram(data.length) === false) return
      this.#lastActivityMs = this.#session.context.engine.clock.monotonicMs()
      this.#targetToClient += data.length
      return this.#inside?.send(encodeSocks5Datagram({ frag: 0, destination: from, data }), to)
    }
    if (isNamed || via.hasContacted(address) || this.#isFullCone) this.#answer(data, { address, port }, 0, isNamed)
  }

  #fromRemote(octets: Uint8Array, from: Endpoint, room: number): void {
    // Section 7: the relay MUST drop datagrams from a source it does not expect.
    const isKnown = this.#knownSender?.from === from || this.#association.hasContacted(from.address)
    if (isKnown || this.#isFullCone) this.#answer(octets, from, room, false)
  }

  get #isFullCone(): boolean {
    return this.#session.context.options.udp?.fullCone === true
  }

  #answer(octets: Uint8Array, from: Endpoint, room: number, isNamed: boolean): void {
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

/** BIND (RFC 1928 section 6, SOCKS4 section BIND): listen where the peer can reach us, two replies, then relay. */
import type { Connection, Listener, Relay, Timer } from '@socksmith/engine'
import {
  type Endpoint,
  type Failure,
  type HandshakeRequest,
  type IpAddress,
  failure,
  formatAddress,
  isUnspecified,
  plainAddress,
  sameAddress,
  unmapped,
} from '@socksmith/protocol'
import type { Facts } from '@socksmith/policy'
import { advertised } from './advertise.ts'
import { serveBindVia } from './bind-via.ts'
import { renewLimits, startRelay } from './connect.ts'
import { outgoingAddress } from './context.ts'
import { openInRange } from './port-range.ts'
import type { Session } from './session.ts'
import { type Candidates, allowedEndpoints, askedAddress } from './target.ts'
import type { Carried } from './session-record.ts'
import type { Granted } from './session-rules.ts'
import { wayOut } from './way-out.ts'

/** One peer is expected; a few strangers may queue in front of it. */
const BIND_BACKLOG = 8
/** Strangers turned away before the BIND is given up: a scan must not be served for two minutes. */
const STRANGERS_MAX = 100

export function serveBind(session: Session, request: HandshakeRequest): void {
  const way = wayOut(session.context, request.destination)
  if (way !== undefined) return serveBindVia(session, request, way)
  const work = new BindWork(session, request)
  session.attach(work)
  void work.run()
}

class BindWork {
  readonly #session: Session
  readonly #request: HandshakeRequest
  #peers: readonly IpAddress[] = []
  #listener: Listener | undefined
  #timer: Timer | undefined
  #relay: Relay | undefined
  #strangers = 0
  /** What allowed a BIND that names no peer. */
  #anyPeer: Granted | undefined
  #isOver = false

  constructor(session: Session, request: HandshakeRequest) {
    this.#session = session
    this.#request = request
  }

  // The client left while nobody had connected: nobody is waited for any more.
  onClientEnd(): void {
    if (this.#relay === undefined) this.#session.connection.destroy()
  }

  abandon(): void {
    this.#stopListening()
    this.#relay?.close()
  }

  get carried(): Carried | undefined {
    return this.#relay
  }

  reconsider(granted: Granted): void {
    renewLimits(this.#session, this.#relay, granted)
  }

  async run(): Promise<void> {
    const session = this.#session
    const peers = await this.#expectedPeers()
    if (this.#isOver) return
    if ('failure' in peers) return session.refuse(peers.failure, peers.ruling)
    const granted = peers[0] ?? this.#anyPeer
    const limited = granted && session.limits.hold(granted)
    if (limited !== undefined) return session.refuse(limited, granted)
    this.#peers = peers.map(peer => peer.to.address)
    const listener = await this.#listen(peers[0]?.to)
    if ('code' in listener) return session.refuse(listener)
    if (this.#isOver) return void listener.close()
    this.#listener = listener
    const { bindMs } = session.context.limits
    this.#timer = session.context.engine.clock.after(bindMs, () =>
      this.#fail(failure('timed_out', 'target', 'no peer came')),
    )
    if (listener.place.kind === 'ip') session.grant(advertised(session.origin.listener, listener.place.endpoint))
  }

  // An unspecified DST.ADDR means any peer; the handshake let it through only if the option allows that.
  async #expectedPeers(): Promise<Candidates> {
    const { context } = this.#session
    const { destination } = this.#request
    const facts = this.#session.facts('bind')
    if (!isUnspecified(plainAddress(destination.address))) {
      return this.#tellable(await allowedEndpoints(context, facts, destination))
    }
    if (context.options.bind?.anyPeer !== true) {
      return { failure: failure('not_allowed', 'policy', 'BIND for any peer is switched off') }
    }
    const ruling = context.gate.ask(facts)
    this.#anyPeer = { ...ruling, facts }
    return ruling.refusal === undefined ? [] : { failure: ruling.refusal, ruling }
  }

  // The replies of SOCKS4 have room for IPv4 only: a listener that cannot be told to the peer is of no use.
  #tellable(peers: Candidates): Candidates {
    if ('failure' in peers || this.#request.protocol === 'socks5') return peers
    const ipv4 = peers.filter(({ to }) => to.address.type === 'ipv4')
    if (ipv4.length > 0) return ipv4
    return { failure: failure('address_type_not_supported', 'client', 'SOCKS4 cannot tell where to reach us by IPv6') }
  }

  async #listen(peer: Endpoint | undefined): Promise<Listener | Failure> {
    const { context } = this.#session
    const address = await this.#listenAddress(peer)
    if ('code' in address) return address
    return openInRange(context.options.bind?.ports, port =>
      context.engine.listen(
        { place: { kind: 'ip', endpoint: { address, port } }, backlog: BIND_BACKLOG },
        { onConnection: peerConnection => this.#onPeer(peerConnection), onAcceptFailure: cause => this.#fail(cause) },
      ),
    )
  }

  // The interface that faces the expected peer, by the kernel's own routes; for any peer, the one that faces the client.
  async #listenAddress(peer: Endpoint | undefined): Promise<IpAddress | Failure> {
    const { context, connection } = this.#session
    if (peer === undefined) {
      if (connection.local.kind === 'ip') return connection.local.endpoint.address
      return failure('not_allowed', 'policy', 'BIND for any peer needs a TCP listener')
    }
    return outgoingAddress(context, peer.address) ?? context.engine.facing(peer.address)
  }

  #onPeer(peer: Connection): void {
    const session = this.#session
    const place = peer.remote
    if (this.#isOver || place.kind !== 'ip') return peer.destroy()
    const address = unmapped(place.endpoint.address)
    const endpoint: Endpoint = { address, port: place.endpoint.port }
    const expected = this.#peers.length === 0 || this.#peers.some(one => sameAddress(unmapped(one), address))
    const facts: Facts = { ...session.facts('bind-peer'), host: this.#namedPeer(), ...endpoint }
    const { refusal, decision } = session.context.gate.ask(facts)
    if (!expected || refusal !== undefined) return this.#onStranger(peer, address)
    this.#stopListening()
    const granted: Granted = { facts, decision }
    const limited = session.limits.hold(granted)
    if (limited !== undefined) {
      peer.destroy()
      return session.refuse(limited, granted)
    }
    session.noteDialled(endpoint, granted)
    session.grant(endpoint)
    this.#relay = startRelay(session, peer)
  }

  /** The name by which the client asked for its peer. */
  #namedPeer(): string | null {
    const address = askedAddress(this.#request.destination.address)
    return address?.type === 'domain' ? address.name : null
  }

  // SOCKS4 ends the BIND on a mismatch; SOCKS5 names no outcome, so a stranger must not be able to kill the rendezvous.
  #onStranger(peer: Connection, address: IpAddress): void {
    peer.destroy()
    this.#strangers++
    if (this.#request.protocol === 'socks5' && this.#strangers < STRANGERS_MAX) return
    this.#fail(failure('not_allowed', 'policy', `${formatAddress(address)} connected instead of the expected peer`))
  }

  #fail(cause: Failure): void {
    if (this.#isOver) return
    this.#stopListening()
    this.#session.refuse(cause)
  }

  #stopListening(): void {
    this.#isOver = true
    this.#timer?.cancel()
    void this.#listener?.close()
    this.#listener = undefined
  }
}

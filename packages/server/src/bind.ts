/** BIND (RFC 1928 section 6, SOCKS4 section BIND): listen where the peer can reach us, two replies, then relay. */
import type { Connection, Listener, Relay, Timer } from '@socksmith/engine'
import {
  type Destination,
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
import { ANY_PEER_OFF, type Facts } from '@socksmith/policy'
import { advertised } from './advertise.ts'
import { serveBindVia } from './bind-via.ts'
import { joinReached, renewLimits } from './connect.ts'
import { openInRange } from './port-range.ts'
import type { Session, Work } from './session.ts'
import { type Allowed, type Refused, allowedTargets, askedAddress } from './target.ts'
import type { Carried } from './session-record.ts'
import type { Granted } from './session-rules.ts'
import { type WayOut, viaOf } from './way-out.ts'

/** One peer is expected; a few strangers may queue in front of it. */
const BIND_BACKLOG = 8
/** Strangers turned away before the BIND is given up: a scan must not be served for two minutes. */
const STRANGERS_MAX = 100

export function serveBind(session: Session, request: HandshakeRequest): void {
  const work = new BindJudging(session, request)
  session.attach(work)
  void work.run()
}

/** Who is expected, as the rules see it; and by which way they are waited for. */
class BindJudging implements Work {
  readonly #session: Session
  readonly #request: HandshakeRequest
  #isOver = false

  constructor(session: Session, request: HandshakeRequest) {
    this.#session = session
    this.#request = request
  }

  onClientEnd(): void {
    this.#session.connection.destroy()
  }

  abandon(): void {
    this.#isOver = true
  }

  async run(): Promise<void> {
    const [session, request] = [this.#session, this.#request]
    const expected = await this.#expected()
    if (this.#isOver) return
    if ('failure' in expected) return session.refuse(expected.failure, expected.ruling)
    const { candidates, way, granted } = expected
    const limited = granted && session.limits.hold(granted)
    if (limited !== undefined) return session.refuse(limited, granted)
    if (way.route !== undefined) {
      return serveBindVia(session, request, { ...way, route: way.route }, candidates[0]?.to ?? request.destination)
    }
    const work = new BindWork(session, request, way)
    session.attach(work)
    await work.run(
      candidates.flatMap(({ to: { address, port } }) => (address.type === 'domain' ? [] : { address, port })),
    )
  }

  // An unspecified DST.ADDR means any peer; the handshake let it through only if the option allows that.
  async #expected(): Promise<(Allowed<Destination> & { readonly granted: Granted | undefined }) | Refused> {
    const { context } = this.#session
    const { destination } = this.#request
    const facts = this.#session.facts('bind')
    const going = this.#session.going({ destination })
    if (!isUnspecified(plainAddress(destination.address))) {
      const allowed = await allowedTargets(context, facts, destination, going)
      return 'failure' in allowed ? allowed : { ...allowed, granted: allowed.candidates[0] }
    }
    if (context.options.bind?.anyPeer !== true) {
      return { failure: ANY_PEER_OFF }
    }
    const ruling = context.gate.ask(facts)
    if (ruling.refusal !== undefined) return { failure: ruling.refusal, ruling }
    const way = going.by(ruling.decision)
    return 'code' in way ? { failure: way, ruling } : { candidates: [], way, granted: { ...ruling, facts } }
  }
}

class BindWork implements Work {
  readonly #session: Session
  readonly #request: HandshakeRequest
  readonly #way: WayOut
  #peers: readonly IpAddress[] = []
  #listener: Listener | undefined
  #timer: Timer | undefined
  #relay: Relay | undefined
  #strangers = 0
  #isOver = false

  constructor(session: Session, request: HandshakeRequest, way: WayOut) {
    this.#session = session
    this.#request = request
    this.#way = way
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

  /** Waits for one of these peers; for anybody, when there is none. */
  async run(expected: readonly Endpoint[]): Promise<void> {
    const session = this.#session
    const peers = this.#tellable(expected)
    if ('code' in peers) return session.refuse(peers)
    this.#peers = peers.map(({ address }) => address)
    const listener = await this.#listen(peers[0])
    if ('code' in listener) return session.refuse(listener)
    if (this.#isOver) return void listener.close()
    this.#listener = listener
    session.noteVia(viaOf(this.#way))
    const { bindMs } = session.context.limits
    this.#timer = session.context.engine.clock.after(bindMs, () =>
      this.#fail(failure('timed_out', 'target', 'no peer came')),
    )
    if (listener.place.kind === 'ip') session.grant(advertised(session.origin.listener, listener.place.endpoint))
  }

  // The replies of SOCKS4 have room for IPv4 only: a listener that cannot be told to the peer is of no use.
  #tellable(peers: readonly Endpoint[]): readonly Endpoint[] | Failure {
    if (peers.length === 0 || this.#request.protocol === 'socks5') return peers
    const ipv4 = peers.filter(({ address }) => address.type === 'ipv4')
    if (ipv4.length > 0) return ipv4
    return failure('address_type_not_supported', 'client', 'SOCKS4 cannot tell where to reach us by IPv6')
  }

  async #listen(peer: Endpoint | undefined): Promise<Listener | Failure> {
    const { context } = this.#session
    const address = await this.#listenAddress(peer)
    if ('code' in address) return address
    return openInRange(context.options.bind?.ports, port =>
      this.#way.engine.listen(
        { place: { kind: 'ip', endpoint: { address, port } }, backlog: BIND_BACKLOG },
        { onConnection: peerConnection => this.#onPeer(peerConnection), onAcceptFailure: cause => this.#fail(cause) },
      ),
    )
  }

  // The interface that faces the expected peer, by the kernel's own routes; for any peer, the one that faces the client.
  async #listenAddress(peer: Endpoint | undefined): Promise<IpAddress | Failure> {
    const { connection } = this.#session
    if (peer === undefined) {
      if (connection.local.kind === 'ip') return connection.local.endpoint.address
      return failure('not_allowed', 'policy', 'BIND for any peer needs a TCP listener')
    }
    return this.#way.engine.facing(peer.address)
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
    this.#relay = joinReached(session, { connection: peer, dialled: endpoint, granted, bound: endpoint })
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

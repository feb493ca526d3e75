/** BIND along a route: the last proxy listens in our place, and its two replies become ours. */
import { type RouteConnection, type RouteDialing, dialRoute } from '@socksmith/client/route'
import type { Relay, Timer } from '@socksmith/engine'
import {
  type Destination,
  type Endpoint,
  type Failure,
  type HandshakeRequest,
  failure,
  isUnspecified,
  plainAddress,
  unmapped,
} from '@socksmith/protocol'
import { joinReached, renewLimits } from './connect.ts'
import { failureOfRoute } from './route-failure.ts'
import type { Session, Work } from './session.ts'
import type { Carried } from './session-record.ts'
import type { Granted } from './session-rules.ts'
import { type WayOut, viaOf } from './way-out.ts'

/** Waits for `peer`, whom the rules allow; an unspecified one is anybody. */
export function serveBindVia(
  session: Session,
  request: HandshakeRequest,
  way: WayOut & Required<Pick<WayOut, 'route'>>,
  peer: Destination,
): void {
  const work = new BindViaWork(session, request, way)
  session.attach(work)
  void work.run(peer)
}

class BindViaWork implements Work {
  readonly #session: Session
  readonly #request: HandshakeRequest
  readonly #way: WayOut & Required<Pick<WayOut, 'route'>>
  #dialing: RouteDialing | undefined
  #listening: RouteConnection['listening']
  #timer: Timer | undefined
  #relay: Relay | undefined
  #isOver = false

  constructor(session: Session, request: HandshakeRequest, way: WayOut & Required<Pick<WayOut, 'route'>>) {
    this.#session = session
    this.#request = request
    this.#way = way
  }

  // The client left while nobody had connected: nobody is waited for any more.
  onClientEnd(): void {
    if (this.#relay === undefined) this.#session.connection.destroy()
  }

  abandon(): void {
    this.#stop()
    this.#relay?.close()
  }

  get carried(): Carried | undefined {
    return this.#relay
  }

  reconsider(granted: Granted): void {
    renewLimits(this.#session, this.#relay, granted)
  }

  async run(expected: Destination): Promise<void> {
    const { admission, resolver, limits } = this.#session.context
    const { engine, route, traits } = this.#way
    if (!admission.take('pendingDials')) {
      return this.#session.refuse(failure('too_busy', 'us', 'too many connection attempts are under way'))
    }
    this.#dialing = dialRoute(engine, route, expected, {
      command: 'bind',
      resolver,
      timeoutMs: limits.dialMs,
      traits,
    })
    const dialled = await this.#dialing.result
    admission.giveBack('pendingDials')
    if ('code' in dialled) return this.#refuse(bindFailure(failureOfRoute(dialled), dialled.code))
    if (this.#isOver) return dialled.connection.destroy()
    this.#listening = dialled.listening
    this.#session.noteVia(
      viaOf(
        this.#way,
        dialled.hops.map(({ proxy }) => proxy),
      ),
    )
    this.#timer = engine.clock.after(limits.bindMs, () => this.#refuse(failure('timed_out', 'target', 'no peer came')))
    const place = listeningPlace(dialled)
    if (this.#request.protocol !== 'socks5' && place.address.type !== 'ipv4') {
      const why = failure('address_type_not_supported', 'client', 'SOCKS4 cannot tell where the proxy listens')
      return this.#refuse(why)
    }
    // The first reply.
    this.#session.grant(place)
    await this.#waitForPeer()
  }

  async #waitForPeer(): Promise<void> {
    const session = this.#session
    const outcome = await this.#listening?.goOn().result
    if (this.#isOver || outcome === undefined) return
    if (outcome.kind !== 'granted') {
      const why = outcome.kind === 'refused' ? outcome.failure.detail : undefined
      return this.#refuse(failure('general_failure', 'target', why ?? 'the proxy ended the BIND'))
    }
    this.#timer?.cancel()
    this.#isOver = true
    const { connection, early } = outcome
    const address = plainAddress(outcome.bound.address)
    // What the proxy says about its peer is all that is known.
    const peer: Endpoint | undefined =
      address.type === 'domain' ? undefined : { address: unmapped(address), port: outcome.bound.port }
    const facts = { ...session.facts('bind-peer'), host: null, ...peer }
    const { refusal, decision } = session.context.gate.ask(facts)
    if (peer === undefined || refusal !== undefined) {
      connection.destroy()
      return session.refuse(refusal ?? failure('general_failure', 'target', 'the proxy does not tell who connected'))
    }
    const granted: Granted = { facts, decision }
    this.#relay = joinReached(session, { connection, early, dialled: peer, granted, bound: peer })
  }

  #refuse(cause: Failure): void {
    if (this.#isOver) return
    this.#stop()
    this.#session.refuse(cause)
  }

  #stop(): void {
    if (!this.#isOver) this.#listening?.cancel()
    this.#isOver = true
    this.#timer?.cancel()
    this.#dialing?.cancel()
  }
}

// A route that ends in an HTTP proxy or in ssh knows no BIND at all: that is no fault of the request.
function bindFailure(cause: Failure, code: string): Failure {
  if (code !== 'SOCKS_BAD_ARGUMENT') return cause
  return failure('command_not_supported', 'us', `BIND cannot go by this route: ${cause.detail ?? ''}`)
}

/** Where the peer has to connect to: zeros are the proxy's own address (SOCKS4 says it, RFC 1928 leaves it open). */
function listeningPlace({ bound, lastHop, connection }: RouteConnection): Destination {
  const address = plainAddress(bound.address)
  if (!isUnspecified(address)) return { address, port: bound.port }
  const place = lastHop?.place
  if (place?.kind === 'host' && place.destination.address.type !== 'domain') {
    return { address: place.destination.address, port: bound.port }
  }
  const { remote } = connection
  return { address: remote.kind === 'ip' ? remote.endpoint.address : address, port: bound.port }
}

/** CONNECT (RFC 1928 section 6, SOCKS4 section CONNECT, HTTP CONNECT): resolve, decide, dial, reply, relay. */
import type { Connection, Dialing, Relay } from '@socksmith/engine'
import { type Destination, type Endpoint, type Failure, NO_ENDPOINT, NO_OCTETS, sameAddress } from '@socksmith/protocol'
import { dialTarget } from './dial.ts'
import type { Session } from './session.ts'
import type { Carried } from './session-record.ts'
import type { Granted } from './session-rules.ts'
import { type Candidate, allowedEndpoints } from './target.ts'

export function serveConnect(session: Session, destination: Destination): void {
  const work = new ConnectWork(session)
  session.attach(work)
  void work.run(destination)
}

class ConnectWork {
  readonly #session: Session
  #dialing: Dialing | undefined
  #relay: Relay | undefined
  #isAbandoned = false
  #askedUnder = 0

  constructor(session: Session) {
    this.#session = session
  }

  // The client may finish sending before the tunnel is open; the relay is told and passes it on.
  onClientEnd(): void {}

  abandon(): void {
    this.#isAbandoned = true
    this.#dialing?.cancel()
    this.#relay?.close()
  }

  get carried(): Carried | undefined {
    return this.#relay
  }

  async run(destination: Destination): Promise<void> {
    const { context } = this.#session
    this.#askedUnder = context.gate.generation
    const judged = allowedEndpoints(context, this.#session.facts('connect'), destination)
    // To wait for what is there already would cost every tunnel to an address a turn.
    const candidates = judged instanceof Promise ? await judged : judged
    if (this.#isAbandoned) return
    if ('failure' in candidates) return this.#session.refuse(candidates.failure, candidates.ruling)
    this.#dialing = dialTarget(
      context,
      candidates.map(one => one.endpoint),
    )
    const target: Connection | Failure = await this.#dialing.result
    if ('code' in target) {
      if (!this.#isAbandoned) this.#session.refuse(target, candidates[0])
    } else if (this.#isAbandoned) target.destroy()
    else this.#join(target, candidates)
  }

  #join(target: Connection, candidates: readonly Candidate[]): void {
    const session = this.#session
    const { remote } = target
    const dialled = remote.kind === 'ip' ? remote.endpoint : NO_ENDPOINT
    const candidate = candidates.find(one => sameAddress(one.endpoint.address, dialled.address)) ?? candidates[0]
    const granted = candidate && this.#stillGranted(candidate)
    if (granted?.refusal !== undefined) {
      target.destroy()
      return session.refuse(granted.refusal, granted)
    }
    session.noteDialled(dialled, granted)
    // BND.ADDR is the address by which the target sees us.
    session.grant(endpointOf(target))
    this.#relay = startRelay(session, target)
  }

  /** The rules may have changed while the target was being reached. */
  #stillGranted(candidate: Candidate): Granted {
    const { gate, engine } = this.#session.context
    if (gate.generation === this.#askedUnder) return candidate
    const facts = { ...candidate.facts, nowMs: engine.clock.wallMs() }
    return { ...gate.ask(facts), facts }
  }
}

/** Joins the client's stream with another; the octets behind the handshake go first. */
export function startRelay(session: Session, target: Connection): Relay {
  const { engine, limits } = session.context
  return engine.relay({
    client: session.connection,
    target,
    toTarget: session.takeRemainder(),
    toClient: NO_OCTETS,
    idleMs: limits.idleMs,
    halfOpenIdleMs: limits.halfOpenIdleMs,
    onEnd: end => session.finish(end),
  })
}

function endpointOf(connection: Connection): Endpoint {
  return connection.local.kind === 'ip' ? connection.local.endpoint : NO_ENDPOINT
}

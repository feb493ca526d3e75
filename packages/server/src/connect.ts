/** CONNECT (RFC 1928 section 6, SOCKS4 section CONNECT, HTTP CONNECT): resolve, decide, dial, reply, relay. */
import type { Connection, Relay } from '@socksmith/engine'
import { type Destination, NO_OCTETS, sameAddress } from '@socksmith/protocol'
import { type Reached, type TargetDialing, dialTarget } from './dial.ts'
import type { Session } from './session.ts'
import type { Carried } from './session-record.ts'
import type { Granted } from './session-rules.ts'
import { type Candidate, allowedTargets } from './target.ts'

export function serveConnect(session: Session, destination: Destination): void {
  const work = new ConnectWork(session)
  session.attach(work)
  void work.run(destination)
}

class ConnectWork {
  readonly #session: Session
  #dialing: TargetDialing | undefined
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

  reconsider(granted: Granted): void {
    renewLimits(this.#session, this.#relay, granted)
  }

  async run(destination: Destination): Promise<void> {
    const { context } = this.#session
    this.#askedUnder = context.gate.generation
    const going = this.#session.going({ destination })
    const judged = allowedTargets(context, this.#session.facts('connect'), destination, going)
    // To wait for what is there already would cost every tunnel to an address a turn.
    const allowed = judged instanceof Promise ? await judged : judged
    if (this.#isAbandoned) return
    if ('failure' in allowed) return this.#session.refuse(allowed.failure, allowed.ruling)
    const { candidates, way } = allowed
    const [first] = candidates
    const limited = first && this.#session.limits.hold(first)
    if (limited !== undefined) return this.#session.refuse(limited, first)
    this.#dialing = dialTarget(
      context,
      candidates.map(one => one.to),
      way,
    )
    const reached = await this.#dialing.result
    this.#dialing = undefined
    if ('code' in reached) {
      if (!this.#isAbandoned) this.#session.refuse(reached, candidates[0])
    } else if (this.#isAbandoned) reached.connection.destroy()
    else this.#join(reached, candidates)
  }

  #join({ connection, early, target, bound, via }: Reached, candidates: readonly Candidate<Destination>[]): void {
    const session = this.#session
    const candidate = candidates.find(one => isSame(one.to, target)) ?? candidates[0]
    const granted = candidate && this.#stillGranted(candidate)
    if (granted?.refusal !== undefined) {
      connection.destroy()
      return session.refuse(granted.refusal, granted)
    }
    session.noteVia(via)
    // BND.ADDR is the address by which the target sees us.
    this.#relay = joinReached(session, { connection, early, dialled: target, granted, bound })
  }

  /** The rules may have changed while the target was being reached. */
  #stillGranted(candidate: Candidate<Destination>): Granted {
    const { gate, engine } = this.#session.context
    if (gate.generation === this.#askedUnder) return candidate
    const facts = { ...candidate.facts, nowMs: engine.clock.wallMs() }
    return { ...gate.ask(facts), facts }
  }
}

/** Who was dialled, or has come to a BIND, and what allowed it. */
interface Joined {
  readonly connection: Connection
  /** Octets that came behind the handshakes with proxies. */
  readonly early?: Uint8Array
  readonly dialled: Destination
  readonly granted: Granted | undefined
  /** What the reply that grants the request tells. */
  readonly bound: Destination
}

/** The reply that grants the request, and the relay; `undefined` when a limit refuses it: another address may have others. */
export function joinReached(
  session: Session,
  { connection, early, dialled, granted, bound }: Joined,
): Relay | undefined {
  const limited = granted && session.limits.hold(granted)
  if (limited !== undefined) {
    connection.destroy()
    session.refuse(limited, granted)
    return undefined
  }
  session.noteDialled(dialled, granted)
  session.grant(bound)
  return startRelay(session, connection, early)
}

/** Joins the client's stream with another; the octets behind the handshakes go first. */
function startRelay(session: Session, target: Connection, early: Uint8Array = NO_OCTETS): Relay {
  const { engine, limits } = session.context
  const { meters } = session.limits
  return engine.relay({
    client: session.connection,
    target,
    toTarget: session.takeRemainder(),
    toClient: early,
    idleMs: session.limits.idleMs(limits.idleMs),
    halfOpenIdleMs: session.limits.idleMs(limits.halfOpenIdleMs),
    ...((meters.up ?? meters.down) !== undefined && { meters }),
    onEnd: end => session.finish(end),
  })
}

/** The limits of a relay that runs already are others now. */
export function renewLimits(session: Session, relay: Relay | undefined, granted: Granted): void {
  const before = session.limits.meters
  session.limits.renew(granted)
  const { meters } = session.limits
  if (meters.up !== before.up || meters.down !== before.down) relay?.useMeters(meters)
}

function isSame(one: Destination, other: Destination): boolean {
  if (one === other) return true
  return one.address.type !== 'domain' && other.address.type !== 'domain' && sameAddress(one.address, other.address)
}

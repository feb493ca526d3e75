/** Reaches one of the allowed destinations, straight or along a route, within the limit of attempts at once. */
import { type Route, type RouteConnection, type RouteDialing, dialRoute } from '@socksmith/client/route'
import { type Connection, dialAny } from '@socksmith/engine'
import {
  type Destination,
  type Endpoint,
  type Failure,
  NO_ENDPOINT,
  NO_OCTETS,
  failure,
  mostTelling,
} from '@socksmith/protocol'
import type { ServerContext } from './context.ts'
import { concernsAddress, failureOfRoute } from './route-failure.ts'
import { type WayOut, firstFamily, viaOf } from './way-out.ts'

/** A connection to a target. */
export interface Reached {
  readonly connection: Connection
  /** What the target sent already, behind a proxy's reply. */
  readonly early: Uint8Array
  /** Which destination it was; a name only where a proxy resolves it. */
  readonly target: Destination
  /** The address by which the target sees us, as far as it is known. */
  readonly bound: Endpoint
  /** The way and its proxies, without their secrets; `undefined` for the usual one without any. */
  readonly via: string | undefined
}

/** One CONNECT's attempt; `cancel` gives it up at any time. */
export interface TargetDialing {
  readonly result: Promise<Reached | Failure>
  cancel(): void
}

/** Addresses of one name that a route is asked for, one after the other: each may cost a whole handshake. */
const ADDRESSES_TRIED_MAX = 4

export function dialTarget(context: ServerContext, destinations: readonly Destination[], way: WayOut): TargetDialing {
  const { admission } = context
  if (!admission.take('pendingDials')) {
    const refused = failure('too_busy', 'us', 'too many connection attempts are under way')
    return { result: Promise.resolve(refused), cancel: () => {} }
  }
  const dialing =
    way.route === undefined
      ? dialStraight(context, destinations.filter(isEndpoint), way)
      : dialAlong(context, destinations, way, way.route)
  const result = dialing.result.then(outcome => {
    admission.giveBack('pendingDials')
    return outcome
  })
  return { result, cancel: () => dialing.cancel() }
}

function dialStraight(context: ServerContext, endpoints: readonly Endpoint[], way: WayOut): TargetDialing {
  const first = firstFamily(way)
  const dialing = dialAny(way.engine, endpoints, {
    timeoutMs: context.limits.dialMs,
    ...(first !== undefined && { firstFamily: first }),
  })
  const result = dialing.result.then(outcome => ('code' in outcome ? outcome : straight(outcome, way)))
  return { result, cancel: () => dialing.cancel() }
}

function straight(connection: Connection, way: WayOut): Reached {
  const { local, remote } = connection
  return {
    connection,
    early: NO_OCTETS,
    target: remote.kind === 'ip' ? remote.endpoint : NO_ENDPOINT,
    bound: local.kind === 'ip' ? local.endpoint : NO_ENDPOINT,
    via: viaOf(way),
  }
}

function dialAlong(
  { resolver, limits }: ServerContext,
  destinations: readonly Destination[],
  way: WayOut,
  route: Route,
): TargetDialing {
  const { engine, traits } = way
  const untilMs = engine.clock.monotonicMs() + limits.dialMs
  let running: RouteDialing | undefined
  let isGivenUp = false
  const attempt = async (): Promise<Reached | Failure> => {
    const failures: Failure[] = []
    for (const target of destinations.slice(0, ADDRESSES_TRIED_MAX)) {
      const timeoutMs = Math.max(1, untilMs - engine.clock.monotonicMs())
      running = dialRoute(engine, route, target, { resolver, timeoutMs, traits })
      const dialled = await running.result
      if (!('code' in dialled)) return reachedBy(dialled, target, way)
      failures.push(failureOfRoute(dialled))
      if (isGivenUp || !concernsAddress(dialled)) break
    }
    return mostTelling(failures)
  }
  const cancel = (): void => {
    isGivenUp = true
    running?.cancel()
  }
  return { result: attempt(), cancel }
}

function reachedBy({ connection, early, bound, hops }: RouteConnection, target: Destination, way: WayOut): Reached {
  const via = viaOf(
    way,
    hops.map(({ proxy }) => proxy),
  )
  return { connection, early, target, bound: isEndpoint(bound) ? bound : NO_ENDPOINT, via }
}

function isEndpoint(destination: Destination): destination is Endpoint {
  return destination.address.type !== 'domain'
}

/** Reaches one of the allowed destinations, straight or along a route, within the limit of attempts at once. */
import { type RouteConnection, type RouteDialing, dialRoute } from '@socksmith/client/route'
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
import { type ServerContext, outgoingAddress } from './context.ts'
import { concernsAddress, failureOfRoute } from './route-failure.ts'
import { type WayOut, viaText } from './way-out.ts'

/** A connection to a target. */
export interface Reached {
  readonly connection: Connection
  /** What the target sent already, behind a proxy's reply. */
  readonly early: Uint8Array
  /** Which destination it was; a name only where a proxy resolves it. */
  readonly target: Destination
  /** The address by which the target sees us, as far as it is known. */
  readonly bound: Endpoint
  /** The proxies on the way, without their secrets; absent when there is none. */
  readonly via?: string
}

/** One CONNECT's attempt; `cancel` gives it up at any time. */
export interface TargetDialing {
  readonly result: Promise<Reached | Failure>
  cancel(): void
}

/** Addresses of one name that a route is asked for, one after the other: each may cost a whole handshake. */
const ADDRESSES_TRIED_MAX = 4

export function dialTarget(
  context: ServerContext,
  destinations: readonly Destination[],
  way: WayOut | undefined,
): TargetDialing {
  const { admission } = context
  if (!admission.take('pendingDials')) {
    const refused = failure('too_busy', 'us', 'too many connection attempts are under way')
    return { result: Promise.resolve(refused), cancel: () => {} }
  }
  const dialing =
    way === undefined ? dialStraight(context, destinations.filter(isEndpoint)) : dialAlong(context, destinations, way)
  const result = dialing.result.then(outcome => {
    admission.giveBack('pendingDials')
    return outcome
  })
  return { result, cancel: () => dialing.cancel() }
}

function dialStraight(context: ServerContext, endpoints: readonly Endpoint[]): TargetDialing {
  const dialing = dialAny(context.engine, endpoints, {
    timeoutMs: context.limits.dialMs,
    localAddressFor: destination => outgoingAddress(context, destination),
  })
  const result = dialing.result.then(outcome => ('code' in outcome ? outcome : straight(outcome)))
  return { result, cancel: () => dialing.cancel() }
}

function straight(connection: Connection): Reached {
  const { local, remote } = connection
  return {
    connection,
    early: NO_OCTETS,
    target: remote.kind === 'ip' ? remote.endpoint : NO_ENDPOINT,
    bound: local.kind === 'ip' ? local.endpoint : NO_ENDPOINT,
  }
}

function dialAlong(context: ServerContext, destinations: readonly Destination[], { route }: WayOut): TargetDialing {
  const { engine, resolver, limits } = context
  const untilMs = engine.clock.monotonicMs() + limits.dialMs
  let running: RouteDialing | undefined
  let isGivenUp = false
  const attempt = async (): Promise<Reached | Failure> => {
    const failures: Failure[] = []
    for (const target of destinations.slice(0, ADDRESSES_TRIED_MAX)) {
      const timeoutMs = Math.max(1, untilMs - engine.clock.monotonicMs())
      const localAddressFor = (to: Endpoint['address']): Endpoint['address'] | undefined => outgoingAddress(context, to)
      running = dialRoute(engine, route, target, { resolver, timeoutMs, localAddressFor })
      const dialled = await running.result
      if (!('code' in dialled)) return reachedBy(dialled, target)
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

function reachedBy({ connection, early, bound, hops }: RouteConnection, target: Destination): Reached {
  const via = viaText(hops.map(({ proxy }) => proxy))
  return { connection, early, target, bound: isEndpoint(bound) ? bound : NO_ENDPOINT, via }
}

function isEndpoint(destination: Destination): destination is Endpoint {
  return destination.address.type !== 'domain'
}

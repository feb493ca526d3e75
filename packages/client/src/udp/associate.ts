/** Opens a {@link UdpPath} along a route: UDP ASSOCIATE with every proxy of it, and a socket that faces the first. */
import type { DatagramSocket, Engine, Resolver } from '@socksmith/engine'
import {
  ANY_IPV4,
  type Destination,
  type Endpoint,
  type Failure,
  type IpAddress,
  failure,
  isUnspecified,
  plainAddress,
} from '@socksmith/protocol'
import type { PhaseTimeouts } from '../dial/limits.ts'
import { resolveHere } from '../dial/reach.ts'
import { type Spot, routeFailure } from '../dial/route-failure.ts'
import { type Scope, uncancellable } from '../dial/scope.ts'
import { type Passed, passThrough } from '../dial/through.ts'
import type { ProxyHop } from '../route/hop.ts'
import type { Traits } from '../route/route.ts'
import { type RouteFailure, invalidRoute } from '../socks-error.ts'
import { type Association, type PathHandler, UdpPath } from './path.ts'

/** What a path is opened with. */
export interface AssociateOptions {
  readonly resolver: Resolver
  readonly timeouts: PhaseTimeouts
  readonly localAddressFor?: (destination: IpAddress) => IpAddress | undefined
  readonly traits?: Traits
}

/**
 * 0.0.0.0:0: what we send from is not known yet, and behind a NAT it never is (RFC 1928 section 6 allows zeros).
 */
const UNKNOWN_SENDER: Destination = { address: ANY_IPV4, port: 0 }

/** Opens a path through these proxies; without any it is a plain socket of this machine. */
export async function associate(
  engine: Engine,
  hops: readonly ProxyHop[],
  handler: PathHandler,
  options: AssociateOptions,
  scope: Scope,
): Promise<UdpPath | RouteFailure> {
  const unfit = hops.findIndex(({ protocol }) => protocol !== 'socks5')
  if (unfit !== -1) {
    const { label } = hops[unfit] as ProxyHop
    return { ...invalidRoute('UDP passes SOCKS5 proxies only'), hop: unfit, proxy: label }
  }
  const associations: Association[] = []
  for (let last = 0; last < hops.length; last++) {
    const made = await associateWith(engine, hops.slice(0, last + 1), options, scope)
    if ('code' in made) {
      for (const { control } of associations) control.destroy()
      return made
    }
    associations.push(made)
  }
  const path = new UdpPath(associations, handler, () => engine.clock.monotonicMs())
  const fault = await openSocket(engine, path, options, scope)
  if (fault === undefined) return path
  path.close()
  return fault
}

/** An association with the last of these, whose control connection goes through the others. */
async function associateWith(
  engine: Engine,
  hops: readonly ProxyHop[],
  options: AssociateOptions,
  scope: Scope,
): Promise<Association | RouteFailure> {
  const { traits } = options
  const asking = { command: 'udp-associate', destination: UNKNOWN_SENDER, ...(traits && { traits }) } as const
  const passed = await passThrough(engine, hops, asking, options, scope)
  if ('code' in passed) return passed
  const spot: Spot = { hop: hops.length - 1, proxy: hops.at(-1) as ProxyHop }
  const relay = await relayOf(passed, spot, options, scope)
  if ('code' in relay) {
    passed.connection.destroy()
    return relay
  }
  const { connection: control, protection } = passed
  if (protection !== undefined && protection.protectDatagram === undefined) {
    control.destroy()
    return { ...invalidRoute('the method protects the stream and cannot carry datagrams'), hop: spot.hop }
  }
  return { spot, control, relay, ...(protection && { protection }) }
}

/** BND of the reply: an unspecified address means the server itself. */
async function relayOf(
  { bound, connection }: Passed,
  spot: Spot,
  options: AssociateOptions,
  scope: Scope,
): Promise<Destination | RouteFailure> {
  const { port } = bound
  if (port === 0) {
    const why = failure('port_zero', 'server', 'BND.PORT of the association is 0')
    return routeFailure('SOCKS_MALFORMED_REPLY', why, 'request', spot)
  }
  const told = plainAddress(bound.address)
  const { place } = spot.proxy
  const isFirst = spot.hop === 0
  if (isUnspecified(told)) {
    if (!isFirst && place.kind === 'host') return { address: place.destination.address, port }
    const { remote } = connection
    return { address: remote.kind === 'ip' ? remote.endpoint.address : LOOPBACK, port }
  }
  if (told.type !== 'domain' || !isFirst) return { address: told, port }
  // Only the first relay is ours to reach.
  const found = await resolveHere(told, options.resolver, scope, spot)
  return 'code' in found ? found : { address: found[0] as IpAddress, port }
}

/** A proxy behind a Unix socket is on this machine. */
const LOOPBACK: IpAddress = { type: 'ipv4', octets: Uint8Array.of(127, 0, 0, 1) }

async function openSocket(
  engine: Engine,
  path: UdpPath,
  options: AssociateOptions,
  scope: Scope,
): Promise<RouteFailure | undefined> {
  const to = path.relay?.address
  const facing =
    to === undefined || to.type === 'domain'
      ? ANY_IPV4
      : (options.localAddressFor?.(to) ?? (await scope.during(uncancellable(engine.facing(to)))))
  if ('code' in facing) return socketFailure(facing)
  const handler = {
    onDatagram: (octets: Uint8Array, from: Endpoint) => path.receive(octets, from),
    // An ICMP answer concerns one datagram, and UDP may lose any.
    onFailure: () => {},
  }
  const opened: DatagramSocket | Failure = await engine.openDatagrams({ address: facing, port: 0 }, handler)
  if ('code' in opened) return socketFailure(opened)
  path.use(opened)
  return scope.ended
}

function socketFailure(why: Failure | RouteFailure): RouteFailure {
  return 'failure' in why ? why : routeFailure('SOCKS_GENERAL_FAILURE', why, 'connect')
}

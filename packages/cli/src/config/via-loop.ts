/** Finds a server that was told to go out through itself: each connection would make another one, without end. */
import type { ProxyHop, Route } from '@socksmith/client/route'
import type { Place } from '@socksmith/engine'
import { isUnspecified, sameAddress, unmapped } from '@socksmith/protocol'
import { LOOPBACK, containsAny } from '@socksmith/server'

/** The first of these listeners that the route leads to, at once or from the proxies before it. */
export function ownListener(route: Route, listeners: readonly Place[]): Place | undefined {
  const [first, later] = [firstHops(route), laterHops(route)]
  return listeners.find(place => first.some(hop => isAt(hop, place)) || later.some(hop => isBack(hop, place)))
}

/** The proxies that this machine connects to. */
function firstHops(route: Route): readonly ProxyHop[] {
  switch (route.kind) {
    case 'proxy':
      return [route.hop]
    case 'chain':
      return route.links.slice(0, 1).flatMap(firstHops)
    case 'pool':
      return route.members.flatMap(firstHops)
    case 'rules':
      return route.rules.flatMap(({ via }) => firstHops(via))
    case 'direct':
    case 'block':
      return []
  }
}

/** The proxies that others connect to. */
function laterHops(route: Route): readonly ProxyHop[] {
  switch (route.kind) {
    case 'proxy':
    case 'direct':
    case 'block':
      return []
    case 'chain':
      return route.links.flatMap((link, index) =>
        index === 0 ? laterHops(link) : [...firstHops(link), ...laterHops(link)],
      )
    case 'pool':
      return route.members.flatMap(laterHops)
    case 'rules':
      return route.rules.flatMap(({ via }) => laterHops(via))
  }
}

// For another machine, loopback is that machine.
function isBack(hop: ProxyHop, place: Place): boolean {
  if (place.kind === 'unix' || containsAny(LOOPBACK, place.endpoint.address)) return false
  return !isUnspecified(place.endpoint.address) && isAt(hop, place)
}

function isAt({ place: { kind, ...at } }: ProxyHop, place: Place): boolean {
  if (kind === 'unix') return place.kind === 'unix' && 'path' in at && at.path === place.path
  if (place.kind === 'unix' || !('destination' in at) || at.destination.port !== place.endpoint.port) return false
  const { address } = at.destination
  const own = unmapped(place.endpoint.address)
  // Of a wildcard only this much is sure: it has the loopback addresses.
  const isNear = containsAny(LOOPBACK, own) || isUnspecified(own)
  if (address.type === 'domain') return isNear && address.name === 'localhost'
  return sameAddress(unmapped(address), own) || (isUnspecified(own) && containsAny(LOOPBACK, address))
}

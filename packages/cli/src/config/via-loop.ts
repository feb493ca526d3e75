/** Finds a server that was told to go out through itself: each connection would make another one, without end. */
import type { ProxyHop, Route } from '@socksmith/client/route'
import { type Place, systemClock } from '@socksmith/engine'
import { type IpAddress, comparableName, isUnspecified, parseIp } from '@socksmith/protocol'
import { LOOPBACK, comesTo, containsAny, createLocalAddresses } from '@socksmith/server'

/** Addresses of names by their comparable form, which proxies are found by before anybody is asked. */
type Hosts = ReadonlyMap<string, readonly IpAddress[]>

/** The first of these listeners that the route leads to, at once or from the proxies before it. */
export function ownListener(route: Route, listeners: readonly Place[], hosts: Hosts): Place | undefined {
  const first = firstHops(route).flatMap(hop => placesOf(hop, hosts))
  const later = laterHops(route).flatMap(hop => placesOf(hop, hosts))
  return listeners.find(listener => isAt(first, listener) || isBack(later, listener))
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
function isBack(places: readonly Place[], listener: Place): boolean {
  if (listener.kind === 'unix' || containsAny(LOOPBACK, listener.endpoint.address)) return false
  return !isUnspecified(listener.endpoint.address) && isAt(places, listener)
}

function isAt(places: readonly Place[], listener: Place): boolean {
  return places.some(place => comesTo(listener, place, LOCAL))
}

const LOCAL = createLocalAddresses(systemClock)

/** Where a proxy is, as far as that is known before anybody is asked. */
function placesOf({ place }: ProxyHop, hosts: Hosts): readonly Place[] {
  if (place.kind === 'unix') return [place]
  const { address, port } = place.destination
  const addresses = address.type === 'domain' ? addressesOf(comparableName(address.name), hosts) : [address]
  return addresses.map(one => ({ kind: 'ip', endpoint: { address: one, port } }))
}

function addressesOf(name: string, hosts: Hosts): readonly IpAddress[] {
  return hosts.get(name) ?? (name === 'localhost' ? LOCALHOST : [])
}

const LOCALHOST = ['127.0.0.1', '::1'].flatMap(text => parseIp(text) ?? [])

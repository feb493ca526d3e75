/** What cannot be asked of given proxies at all: known before anything is opened. */
import type { CommandName } from '@socksmith/protocol'
import type { HopProtocol, ProxyHop } from '../route/hop.ts'
import { type RouteFailure, invalidRoute } from '../socks-error.ts'
import type { Asking } from './asking.ts'

/** Why these proxies cannot be asked for it; `undefined` when they can. */
export function faultOf(hops: readonly ProxyHop[], asking: Asking): RouteFailure | undefined {
  for (const [hop, proxy] of hops.entries()) {
    const next = hops[hop + 1]
    const at = { hop, proxy: proxy.label }
    if (hop > 0 && proxy.place.kind === 'unix') {
      return { ...invalidRoute('a Unix socket can only be the first proxy of a chain'), ...at }
    }
    const { command, destination } = next?.place.kind === 'host' ? goalOf(next) : asking
    const { protocol } = proxy
    if (protocol === 'socks4' && destination.address.type === 'ipv6') {
      return { ...invalidRoute('SOCKS4 carries no IPv6 address'), ...at }
    }
    const known = COMMANDS[protocol]
    if (!known.includes(command)) return { ...invalidRoute(`${protocol} has no command ${command}`), ...at }
  }
  return undefined
}

const COMMANDS: { readonly [P in HopProtocol]: readonly CommandName[] } = {
  socks4: ['connect', 'bind'],
  socks4a: ['connect', 'bind', 'resolve'],
  socks5: ['connect', 'bind', 'udp-associate', 'resolve', 'resolve-ptr'],
  http: ['connect'],
  ssh: ['connect'],
}

/** The next proxy as what to ask for. */
export function goalOf({ place }: ProxyHop): Asking {
  if (place.kind === 'unix') throw new Error('a Unix socket inside a chain passed the check')
  return { command: 'connect', destination: place.destination }
}

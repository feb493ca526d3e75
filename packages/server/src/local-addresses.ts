/** The addresses of this host's interfaces, looked up again when they are some seconds old, and what leads to them. */
import { networkInterfaces } from 'node:os'
import type { Clock, Place } from '@socksmith/engine'
import { formatAddress, parseIp } from '@socksmith/protocol'
import { LOOPBACK, type LocalAddresses, containsAny, isOwnEndpoint } from '@socksmith/policy'

/** An address that comes up by DHCP or SLAAC is known after this long; a look-up costs tens of microseconds. */
const FRESH_MS = 5_000

export function createLocalAddresses(clock: Clock): LocalAddresses {
  let known = new Set<string>()
  let readAtMs = Number.NEGATIVE_INFINITY
  return {
    has(address) {
      if (containsAny(LOOPBACK, address)) return true
      if (clock.monotonicMs() - readAtMs > FRESH_MS) {
        known = readInterfaces()
        readAtMs = clock.monotonicMs()
      }
      return known.has(formatAddress(address))
    },
  }
}

/** Whether who connects to `to` from this host comes to this listener. */
export function comesTo(listener: Place, to: Place, local: LocalAddresses): boolean {
  if (listener.kind === 'unix') return to.kind === 'unix' && listener.path === to.path
  return to.kind === 'ip' && isOwnEndpoint(listener.endpoint, to.endpoint, local)
}

function readInterfaces(): Set<string> {
  const addresses = new Set<string>()
  for (const entries of Object.values(networkInterfaces())) {
    for (const entry of entries ?? []) {
      // A zone is written behind link-local addresses on some systems.
      const address = parseIp(entry.address.split('%')[0] as string)
      if (address !== undefined) addresses.add(formatAddress(address))
    }
  }
  return addresses
}

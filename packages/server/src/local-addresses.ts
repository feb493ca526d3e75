/** The addresses of this host's interfaces, looked up again when they are some seconds old, and what leads to them. */
import type { Clock, Place } from '@socksmith/engine'
import { formatAddress } from '@socksmith/protocol'
import { LOOPBACK, type LocalAddresses, containsAny, isOwnEndpoint } from '@socksmith/policy'
import { interfaceAddresses } from './interfaces.ts'

/** An address that comes up by DHCP or SLAAC is known after this long; a look-up costs tens of microseconds. */
const FRESH_MS = 5_000

export function createLocalAddresses(clock: Clock): LocalAddresses {
  // At the start there are descriptors. Without one later, what was known last holds on.
  let known = readInterfaces() ?? new Set<string>()
  let readAtMs = clock.monotonicMs()
  return {
    has(address) {
      if (containsAny(LOOPBACK, address)) return true
      if (clock.monotonicMs() - readAtMs > FRESH_MS) {
        known = readInterfaces() ?? known
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

function readInterfaces(): Set<string> | undefined {
  const interfaces = interfaceAddresses()
  return 'code' in interfaces ? undefined : new Set([...interfaces.values()].flat().map(formatAddress))
}

/**
 * The one decision: may this client reach this address. Asked for CONNECT, for the peer of a BIND, for each UDP
 * destination and for HTTP, always about the address that is then used. Does not wait, resolve or dial.
 */
import { type Place } from '@socksmith/engine'
import {
  type Endpoint,
  type Failure,
  failure,
  formatAddress,
  isUnspecified,
  sameAddress,
  unmapped,
} from '@socksmith/protocol'
import { LOOPBACK, addressForms, containsAny, isInside } from '@socksmith/policy'
import type { AccessOptions } from './options.ts'
import { type LocalAddresses } from './local-addresses.ts'

/** Whether `client` may reach `target`; a failure is the refusal. */
export type Decide = (client: Place, target: Endpoint) => Failure | undefined

/** Compiles the access options. `ownPlaces` are the server's listeners, asked for at each decision. */
export function createDecide(access: AccessOptions, ownPlaces: () => readonly Place[], local: LocalAddresses): Decide {
  const insideFrom = access.insideFrom ?? LOOPBACK
  const insideOpen = access.insideOpen ?? []
  const mayGoInside = (client: Place): boolean =>
    client.kind === 'unix' || containsAny(insideFrom, client.endpoint.address)

  return (client, target) => {
    const address = unmapped(target.address)
    // Linux takes 0.0.0.0 and :: for this host.
    if (isUnspecified(address)) return refused('the unspecified address')
    // A proxy that reaches itself is a loop, whoever asks for it.
    if (ownPlaces().some(place => isOwn(place, { address, port: target.port }, local))) {
      return refused("one of the server's own listeners")
    }
    if (!isInside(address) || mayGoInside(client)) return undefined
    // Every disguise has to be open: a translator would deliver to the address within.
    if (addressForms(address).every(one => containsAny(insideOpen, one) || !isInside(one))) return undefined
    return refused(`${formatAddress(address)}, which is inside and closed to clients from elsewhere`)
  }
}

function refused(what: string): Failure {
  return failure('not_allowed', 'policy', `the rules do not allow ${what}`)
}

function isOwn(place: Place, target: Endpoint, local: LocalAddresses): boolean {
  if (place.kind === 'unix' || place.endpoint.port !== target.port) return false
  const { address } = place.endpoint
  return isUnspecified(address) ? local.has(target.address) : sameAddress(address, target.address)
}

/**
 * From the target that a client named to the addresses that may be used: resolve once, decide about each address, and
 * hand on exactly those. A name that changes between two look-ups gains nothing. Dials nothing.
 */
import type { Place } from '@socksmith/engine'
import { type Destination, type Endpoint, type Failure, plainAddress } from '@socksmith/protocol'
import type { ServerContext } from './context.ts'

/** The endpoints that `client` may use for `destination`, at least one; or why there is none. */
export async function allowedEndpoints(
  context: ServerContext,
  client: Place,
  destination: Destination,
): Promise<readonly Endpoint[] | Failure> {
  const address = plainAddress(destination.address)
  const resolution = address.type === 'domain' ? await context.resolver.resolve(address.name) : [address]
  if ('code' in resolution) return resolution
  const allowed: Endpoint[] = []
  let refusal: Failure | undefined
  for (const one of resolution) {
    const endpoint: Endpoint = { address: one, port: destination.port }
    const refused = context.decide(client, endpoint)
    if (refused === undefined) allowed.push(endpoint)
    else refusal = refused
  }
  return allowed.length === 0 && refusal !== undefined ? refusal : allowed
}

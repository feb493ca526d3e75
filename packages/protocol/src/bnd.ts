/** Where a client really has to go when a reply's BND is only half an answer. Knows no message. */
import { type Destination, type IpAddress, isUnspecified, plainAddress } from './address.ts'

/**
 * The destination to use for a BND: an unspecified address means the address of the server itself. `undefined` when
 * there is no port, since nobody listens on port 0.
 */
export function usableBnd(bnd: Destination, server: IpAddress): Destination | undefined {
  if (bnd.port === 0) return undefined
  return isUnspecified(plainAddress(bnd.address)) ? { address: server, port: bnd.port } : bnd
}

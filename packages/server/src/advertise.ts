/** The address that a client is told in a reply, when this host is behind NAT. */
import type { Endpoint } from '@socksmith/protocol'
import { LOOPBACK, containsAny } from '@socksmith/policy'
import type { ListenerOptions } from './options.ts'

/** The endpoint to tell: the advertised address of its family, but never for a loopback address, which NAT does not touch. */
export function advertised(listener: ListenerOptions, endpoint: Endpoint): Endpoint {
  const address = listener.advertise?.[endpoint.address.type]
  if (address === undefined || containsAny(LOOPBACK, endpoint.address)) return endpoint
  return { address, port: endpoint.port }
}

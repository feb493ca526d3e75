/** Where the datagrams of an association go. Sends nothing. */
import { type Endpoint, type IpAddress, isUnspecified } from '@socksmith/protocol'
import type { Dialogue, Reply } from './dialogue.ts'
import { Finding } from './finding.ts'
import type { Probe } from './probe.ts'

export interface RelayPlace {
  readonly at: Endpoint
  /** Number of the connection whose reply told it. */
  readonly of: number
}

/** The relay that a reply to UDP ASSOCIATE tells; an unspecified address stands for the server's own, as clients take it. */
export function relayOf(probe: Probe, dialogue: Dialogue, reply: Reply): RelayPlace {
  const { address, port } = reply.bound
  if (address.type === 'domain') throw new Finding('an IP address as BND.ADDR', `the name ${address.name}`)
  if (port === 0) throw new Finding('a BND.PORT', '0')
  const at: IpAddress = isUnspecified(address) ? probe.proxyAddress : address
  return { at: { address: at, port }, of: dialogue.stream.line.number }
}

/** The addresses of this host's interfaces. The system opens a descriptor to tell them, so that it may have to refuse. */
import { networkInterfaces } from 'node:os'
import { type Failure, type IpAddress, failure, parseIp } from '@socksmith/protocol'

/** By the names of the interfaces; or why the system does not tell. */
export function interfaceAddresses(): ReadonlyMap<string, readonly IpAddress[]> | Failure {
  try {
    return new Map(
      Object.entries(networkInterfaces()).map(([name, entries = []]) => [
        name,
        // A zone is written behind link-local addresses on some systems.
        entries.flatMap(({ address }) => parseIp(address.split('%')[0] ?? '') ?? []),
      ]),
    )
  } catch (error) {
    return failure('too_busy', 'us', `the system does not tell the addresses of its interfaces: ${String(error)}`)
  }
}

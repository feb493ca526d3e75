/** What every framing of UDP inside a stream carries: a datagram and the one address that belongs to it. Knows no framing. */
import type { Destination } from '../address.ts'
import { type Decoded, malformed } from '../decoded.ts'
import { checkName } from '../name.ts'
import type { SenderOptions } from './sender.ts'
import { decodeSocks5Address, nameOctets } from './socks5-address.ts'

export interface StreamDatagram {
  /** Client to server the target, server to client the sender. */
  readonly destination: Destination
  readonly data: Uint8Array
}

/** ATYP ADDR PORT of a datagram: a name in it must be a host name. `consumed` counts from `at`. */
export function decodeDatagramAddress(
  octets: Uint8Array,
  at: number,
  options: SenderOptions = {},
): Decoded<Destination> {
  const { sender = 'client' } = options
  const address = decodeSocks5Address(octets, at, sender)
  if (address.kind !== 'whole' || address.value.address.type !== 'domain') return address
  const name = checkName(nameOctets(address.value.address.name))
  return name.ok ? address : malformed(name.code, sender)
}

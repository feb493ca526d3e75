/** Which addresses trouble nobody else. Asks nobody. */
import { type IpAddress, unmapped } from '@socksmith/protocol'

/** 127.0.0.0/8 or ::1, also as an IPv4-mapped address. */
export function isOnThisHost(address: IpAddress): boolean {
  const { type, octets } = unmapped(address)
  return type === 'ipv4' ? octets[0] === 127 : octets.every((octet, i) => octet === (i === 15 ? 1 : 0))
}

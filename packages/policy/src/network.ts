/** Networks in CIDR form, the special ones of IANA's registries, and which of them lie "inside". Decides on octets, never on text. */
import {
  type IpAddress,
  type Ipv4Address,
  type Ipv6Address,
  formatAddress,
  octetAt,
  parseIp,
  unmapped,
} from '@socksmith/protocol'

export interface Network {
  readonly address: IpAddress
  /** Leading bits that count: 0 to 32, or 0 to 128. */
  readonly bits: number
}

/**
 * `10.0.0.0/8`, `fd00::/8`, or one address; `undefined` when it is neither or has bits set behind the prefix. One of
 * IPv4-mapped addresses (`::ffff:10.0.0.0/104`) is the IPv4 network that it is, as every address is that it is compared with.
 */
export function parseNetwork(text: string): Network | undefined {
  const [host, length, ...rest] = text.split('/')
  if (host === undefined || rest.length > 0) return undefined
  const address = parseIp(host)
  if (address === undefined) return undefined
  const most = address.octets.length * 8
  if (length !== undefined && (!/^(0|[1-9][0-9]{0,2})$/.test(length) || Number(length) > most)) return undefined
  const network: Network = { address, bits: length === undefined ? most : Number(length) }
  return hasHostBits(network) ? undefined : inIpv4(network, unmapped(address))
}

/** The prefix of IPv4-mapped addresses (RFC 4291 section 2.5.5.2), and that of NAT64 (RFC 6052 section 2.1). */
const PREFIX_BITS = 96

export function formatNetwork(network: Network): string {
  return `${formatAddress(network.address)}/${network.bits}`
}

/** True when the address lies in the network. IPv4-mapped IPv6 counts as IPv4. */
export function contains(network: Network, address: IpAddress): boolean {
  const plain = unmapped(address)
  if (plain.type !== network.address.type) return false
  const wholeOctets = network.bits >> 3
  for (let i = 0; i < wholeOctets; i++) if (plain.octets[i] !== network.address.octets[i]) return false
  const rest = network.bits & 7
  if (rest === 0) return true
  const mask = (0xff << (8 - rest)) & 0xff
  return ((octetAt(plain.octets, wholeOctets) ^ octetAt(network.address.octets, wholeOctets)) & mask) === 0
}

export function containsAny(networks: readonly Network[], address: IpAddress): boolean {
  return networks.some(network => contains(network, address))
}

function hasHostBits(network: Network): boolean {
  const { octets } = network.address
  return octets.some((octet, index) => {
    const kept = Math.min(8, Math.max(0, network.bits - index * 8))
    return (octet & (0xff >> kept)) !== 0
  })
}

function networks(...texts: readonly string[]): readonly Network[] {
  return texts.map(text => {
    const network = parseNetwork(text)
    if (network === undefined) throw new Error(`not a network: ${text}`)
    return network
  })
}

/** This host. */
export const LOOPBACK: readonly Network[] = networks('127.0.0.0/8', '::1/128')

/** No host at all, which a server reaches for nobody. */
export const UNSPECIFIED: readonly Network[] = networks('0.0.0.0/32', '::/128')

/**
 * Not the open Internet (RFC 6890 and IANA's special-purpose registries): this host, private, shared, link-local (with
 * the metadata addresses 169.254.169.254 and fd00:ec2::254), documentation, benchmarking, multicast and reserved.
 */
export const INSIDE: readonly Network[] = networks(
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10', // shared (RFC 6598); holds one cloud's metadata address 100.100.100.200
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15', // benchmarking (RFC 2544); where fake addresses live
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  '::1/128',
  '100::/64', // discard (RFC 6666)
  '2001:db8::/32',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10', // site-local, deprecated and still routed by some
  'ff00::/8',
)

/**
 * The forms in which rules see an address. IPv4-mapped and NAT64 addresses (RFC 6052 section 2.1) are the IPv4 address that
 * they carry, since that is where the packets go. Those of 6to4, Teredo and NAT64's local prefix reach an IPv6 address
 * by way of the IPv4 address within: both are asked about, and both have to be allowed.
 */
export function addressForms(address: IpAddress): readonly IpAddress[] {
  if (address.type === 'ipv4') return [address]
  const plain = unmapped(address)
  if (plain.type === 'ipv4') return [plain]
  if (contains(NAT64, plain)) return [{ type: 'ipv4', octets: plain.octets.slice(12) }]
  const embedded = embeddedIpv4(plain)
  return embedded === undefined ? [plain] : [plain, embedded]
}

/** A network of NAT64 addresses as the IPv4 network that is reached by it; every other one unchanged. For targets only. */
export function reachedNetwork(network: Network): Network {
  return inIpv4(network, addressForms(network.address)[0])
}

/** The network by the IPv4 address that its own one carries behind 96 bits, if it does. */
function inIpv4(network: Network, carried: IpAddress | undefined): Network {
  const { address, bits } = network
  if (address.type === 'ipv4' || carried?.type !== 'ipv4' || bits < PREFIX_BITS) return network
  return { address: carried, bits: bits - PREFIX_BITS }
}

/** True when the whole of `inner` lies in `outer`. */
export function containsNetwork(outer: Network, inner: Network): boolean {
  return outer.bits <= inner.bits && contains(outer, inner.address)
}

/** True when the address, or an IPv4 address that a translator would make of it, lies inside. */
export function isInside(address: IpAddress): boolean {
  return addressForms(address).some(one => containsAny(INSIDE, one))
}

const [NAT64, NAT64_LOCAL, SIX_TO_FOUR, TEREDO, COMPATIBLE] = networks(
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '2002::/16',
  '2001::/32',
  '::/96',
) as [Network, Network, Network, Network, Network]

const NEVER_COMPATIBLE = networks('::/127')

function embeddedIpv4(address: Ipv6Address): Ipv4Address | undefined {
  const { octets } = address
  // :: and ::1 have the prefix of IPv4-compatible addresses and are none (RFC 4291 sections 2.5.2 and 2.5.3).
  if (containsAny(NEVER_COMPATIBLE, address)) return undefined
  if (contains(SIX_TO_FOUR, address)) return { type: 'ipv4', octets: octets.slice(2, 6) }
  // Teredo hides the client's address behind an exclusive or (RFC 4380 section 4).
  if (contains(TEREDO, address)) return { type: 'ipv4', octets: octets.slice(12).map(octet => octet ^ 0xff) }
  if (contains(NAT64_LOCAL, address) || contains(COMPATIBLE, address)) return { type: 'ipv4', octets: octets.slice(12) }
  return undefined
}

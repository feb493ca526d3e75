/** The PROXY protocol header, text form: one line of at most 107 octets. Anything that is not exact is refused. */
import { type Endpoint, formatAddress, parseIpv4, parseIpv6 } from '../address.ts'
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { octetAt } from '../octets.ts'
import { latin1Octets, latin1Text } from '../text.ts'

/** The longest line that the protocol knows, with CR LF. */
export const PROXY_V1_OCTETS_MAX = 107

const SIGNATURE = latin1Octets('PROXY ')

export type ProxyV1 =
  | { readonly family: 'UNKNOWN' }
  | { readonly family: 'TCP4' | 'TCP6'; readonly source: Endpoint; readonly destination: Endpoint }

export function decodeProxyV1(octets: Uint8Array): Decoded<ProxyV1> {
  for (let i = 0; i < Math.min(SIGNATURE.length, octets.length); i++) {
    if (octets[i] !== SIGNATURE[i]) return malformed('bad_signature', 'client', 'no PROXY header')
  }
  const end = octets.subarray(0, PROXY_V1_OCTETS_MAX).indexOf(0x0a)
  if (end === -1) {
    return octets.length < PROXY_V1_OCTETS_MAX ? NEED_MORE : malformed('line_too_long', 'client')
  }
  if (octetAt(octets, end - 1) !== 0x0d) return malformed('bad_line_end', 'client')
  const line = latin1Text(octets.subarray(0, end - 1))
  if (line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN ')) return whole({ family: 'UNKNOWN' }, end + 1)
  const fields = /^PROXY (TCP4|TCP6) ([^ ]+) ([^ ]+) ([0-9]+) ([0-9]+)$/.exec(line)
  if (fields === null) return malformed('bad_syntax', 'client')
  const [, family, source, destination, sourcePort, destinationPort] = fields as unknown as readonly string[]
  const parse = family === 'TCP4' ? parseIpv4 : parseIpv6
  const addresses = [parse(source ?? ''), parse(destination ?? '')] as const
  if (addresses[0] === undefined || addresses[1] === undefined) return malformed('bad_address', 'client')
  const ports = [parsePort(sourcePort ?? ''), parsePort(destinationPort ?? '')] as const
  if (ports[0] === undefined || ports[1] === undefined) return malformed('bad_port', 'client')
  const header: ProxyV1 = {
    family: family === 'TCP4' ? 'TCP4' : 'TCP6',
    source: { address: addresses[0], port: ports[0] },
    destination: { address: addresses[1], port: ports[1] },
  }
  return whole(header, end + 1)
}

export function encodeProxyV1(header: ProxyV1): Uint8Array {
  if (header.family === 'UNKNOWN') return latin1Octets('PROXY UNKNOWN\r\n')
  const { family, source, destination } = header
  const addresses = `${formatAddress(source.address)} ${formatAddress(destination.address)}`
  return latin1Octets(`PROXY ${family} ${addresses} ${source.port} ${destination.port}\r\n`)
}

function parsePort(text: string): number | undefined {
  return /^(0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined
}

/** The PROXY protocol header, binary form: signature, addresses, TLVs. Accepted whole or refused. */
import { type Endpoint, type IpAddress } from '../address.ts'
import { type Decoded, type Malformed, NEED_MORE, malformed, whole } from '../decoded.ts'
import { NO_OCTETS, concat, octetAt, uint16, uint16At, uint32At } from '../octets.ts'
import { latin1Octets, latin1Text } from '../text.ts'
import { crc32c } from '../crc32c.ts'

const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a)
const HEAD_OCTETS = 16
const UNIX_PATH_OCTETS = 108
const TLV_CRC32C = 0x03

export interface ProxyV2Tlv {
  readonly type: number
  readonly value: Uint8Array
}

export type ProxyV2Addresses =
  | { readonly kind: 'ip'; readonly source: Endpoint; readonly destination: Endpoint }
  | { readonly kind: 'unix'; readonly source: string; readonly destination: string }

export interface ProxyV2 {
  readonly command: 'LOCAL' | 'PROXY'
  /** Family and transport: 0x11 is TCP over IPv4. */
  readonly familyAndProtocol: number
  /** Octets behind the first sixteen. */
  readonly length: number
  /** Absent for LOCAL and UNSPEC, whose body is skipped. */
  readonly addresses?: ProxyV2Addresses
  readonly tlvs: readonly ProxyV2Tlv[]
  /** The body that LOCAL and UNSPEC skip; kept so that a header can be written as it was read. */
  readonly skipped?: Uint8Array
}

export function decodeProxyV2(octets: Uint8Array): Decoded<ProxyV2> {
  for (let i = 0; i < Math.min(SIGNATURE.length, octets.length); i++) {
    if (octets[i] !== SIGNATURE[i]) return malformed('bad_signature', 'client', 'no PROXY header')
  }
  const fault = headFault(octets)
  if (fault !== undefined) return fault
  if (octets.length < HEAD_OCTETS) return NEED_MORE
  const familyAndProtocol = octetAt(octets, 13)
  const length = uint16At(octets, 14)
  const end = HEAD_OCTETS + length
  if (octets.length < end) return NEED_MORE
  const command = (octetAt(octets, 12) & 0x0f) === 0 ? 'LOCAL' : 'PROXY'
  const base = { command, familyAndProtocol, length } as const
  if (command === 'LOCAL' || familyAndProtocol >> 4 === 0) {
    return whole({ ...base, tlvs: [], skipped: octets.slice(HEAD_OCTETS, end) }, end)
  }
  const addressOctets = addressLength(familyAndProtocol >> 4)
  if (length < addressOctets) return malformed('bad_length', 'client', 'the addresses are longer than the header')
  const addresses = readAddresses(familyAndProtocol >> 4, octets.subarray(HEAD_OCTETS, HEAD_OCTETS + addressOctets))
  const tlvs = readTlvs(octets, HEAD_OCTETS + addressOctets, end)
  if (!Array.isArray(tlvs)) return tlvs
  return whole({ ...base, addresses, tlvs }, end)
}

/** Writes what it is given: the checksum of a CRC32C TLV is the caller's. */
export function encodeProxyV2(header: ProxyV2): Uint8Array {
  const body = concat([
    header.addresses === undefined ? (header.skipped ?? NO_OCTETS) : writeAddresses(header.addresses),
    ...header.tlvs.map(({ type, value }) => concat([Uint8Array.of(type, ...uint16(value.length)), value])),
  ])
  const verAndCommand = 0x20 | (header.command === 'PROXY' ? 1 : 0)
  const head = Uint8Array.of(verAndCommand, header.familyAndProtocol, ...uint16(body.length))
  return concat([SIGNATURE, head, body])
}

function headFault(octets: Uint8Array): Malformed | undefined {
  const [verAndCommand, family] = [octets[12], octets[13]]
  if (verAndCommand !== undefined) {
    if (verAndCommand >> 4 !== 2) return malformed('bad_version', 'client', `version ${verAndCommand >> 4}`)
    if ((verAndCommand & 0x0f) > 1) return malformed('bad_command', 'client', `command ${verAndCommand & 0x0f}`)
  }
  if (family !== undefined && (family >> 4 > 3 || (family & 0x0f) > 2)) return malformed('bad_family', 'client')
  return undefined
}

function addressLength(family: number): number {
  return family === 1 ? 12 : family === 2 ? 36 : 2 * UNIX_PATH_OCTETS
}

function readAddresses(family: number, octets: Uint8Array): ProxyV2Addresses {
  if (family === 3) {
    const path = (at: number): string => latin1Text(octets.subarray(at, at + UNIX_PATH_OCTETS)).replace(/\0.*$/s, '')
    return { kind: 'unix', source: path(0), destination: path(UNIX_PATH_OCTETS) }
  }
  const size = family === 1 ? 4 : 16
  const address = (at: number): IpAddress => ({
    type: family === 1 ? 'ipv4' : 'ipv6',
    octets: octets.slice(at, at + size),
  })
  return {
    kind: 'ip',
    source: { address: address(0), port: uint16At(octets, 2 * size) },
    destination: { address: address(size), port: uint16At(octets, 2 * size + 2) },
  }
}

function writeAddresses(addresses: ProxyV2Addresses): Uint8Array {
  if (addresses.kind === 'unix') {
    return concat(
      [addresses.source, addresses.destination].map(path => {
        const field = new Uint8Array(UNIX_PATH_OCTETS)
        field.set(latin1Octets(path).subarray(0, UNIX_PATH_OCTETS))
        return field
      }),
    )
  }
  const { source, destination } = addresses
  const ports = Uint8Array.of(...uint16(source.port), ...uint16(destination.port))
  return concat([source.address.octets, destination.address.octets, ports])
}

function readTlvs(octets: Uint8Array, start: number, end: number): ProxyV2Tlv[] | Malformed {
  const tlvs: ProxyV2Tlv[] = []
  for (let at = start; at < end;) {
    if (at + 3 > end) return malformed('bad_tlv', 'client')
    const length = uint16At(octets, at + 1)
    if (at + 3 + length > end) return malformed('bad_tlv', 'client')
    const tlv = { type: octetAt(octets, at), value: octets.slice(at + 3, at + 3 + length) }
    if (tlv.type === TLV_CRC32C && !crcHolds(octets, at + 3, length, end)) return malformed('bad_checksum', 'client')
    tlvs.push(tlv)
    at += 3 + length
  }
  return tlvs
}

// The checksum covers the whole header with its own four octets as zeros.
function crcHolds(octets: Uint8Array, at: number, length: number, end: number): boolean {
  if (length !== 4) return false
  const zeroed = octets.slice(0, end)
  zeroed.fill(0, at, at + 4)
  return crc32c(zeroed) === uint32At(octets, at)
}

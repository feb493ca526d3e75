/** TLS that protects nothing: its records are the plain octets. With a greeting, each end sends one before it stands. */
import { NO_OCTETS, concat } from '../../src/octets.ts'
import type { TlsStream } from '../../src/method/ssl-tunnel.ts'

/** Established from the beginning: the octets inside the frames are those of the vectors. */
export const nullTls: TlsStream = {
  established: true,
  takeOutgoing: () => NO_OCTETS,
  seal: plain => plain,
  open: records => records.slice(),
}

const HELLO = 0x16

const turn = (octets: Uint8Array): Uint8Array => octets.map(octet => octet ^ 0xff)

/** One octet 16 from each end is the handshake; then every octet is turned over (XOR FF). An octet 15 is an alert. */
export function greetingTls(end: 'client' | 'server', peer?: string): TlsStream {
  let outgoing = end === 'client' ? Uint8Array.of(HELLO) : NO_OCTETS
  let established = false
  return {
    get established() {
      return established
    },
    ...(peer !== undefined && { peer }),
    takeOutgoing() {
      const octets = outgoing
      outgoing = NO_OCTETS
      return octets
    },
    seal(plain) {
      if (!established) throw new Error('sealed before TLS stands')
      return turn(plain)
    },
    open(records) {
      if (established || records.length === 0) return turn(records)
      if (records[0] !== HELLO) {
        outgoing = concat([outgoing, Uint8Array.of(0x15)])
        return { code: 'bad_signature', blame: end === 'client' ? 'server' : 'client' }
      }
      established = true
      if (end === 'server') outgoing = Uint8Array.of(HELLO)
      return turn(records.subarray(1))
    },
  }
}

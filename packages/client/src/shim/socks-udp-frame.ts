/** Frames of UDP ASSOCIATE with the shape that `socks` gives them (RFC 1928 section 7). Sends nothing. */
import { decodeSocks5Datagram, encodeSocks5Datagram, formatAddress } from '@socksmith/protocol'
import { destinationOf } from './socks-handshake.ts'
import type { SocksRemoteHost } from './socks-options.ts'

export interface SocksUDPFrameDetails {
  /** FRAG; default 0, a datagram that stands alone. */
  frameNumber?: number
  remoteHost: SocksRemoteHost
  data: Buffer
}

export function createUDPFrame({ frameNumber = 0, remoteHost, data }: SocksUDPFrameDetails): Buffer {
  return Buffer.from(encodeSocks5Datagram({ frag: frameNumber, destination: destinationOf(remoteHost), data }))
}

/** Throws a `RangeError` for octets that are no frame. */
export function parseUDPFrame(octets: Buffer): SocksUDPFrameDetails {
  const decoded = decodeSocks5Datagram(octets, { reassemble: true })
  if (decoded.kind === 'malformed') throw new RangeError(`not a SOCKS5 datagram: ${decoded.failure.code}`)
  const { frag, destination, data } = decoded.value
  return {
    frameNumber: frag,
    remoteHost: { host: formatAddress(destination.address), port: destination.port },
    data: Buffer.from(data),
  }
}

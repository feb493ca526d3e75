/** A stream to a target, direct or through a SOCKS5 proxy, in raw octets: it shares no code with what is measured. */
import { type Socket, connect } from 'node:net'

/** The port of a proxy on 127.0.0.1, or none at all. */
export type Way = { readonly kind: 'direct' } | { readonly kind: 'socks5'; readonly port: number }

const GREETING = Buffer.of(5, 1, 0)
/** VER REP RSV ATYP, four octets of IPv4, two of port: no proxy on IPv4 loopback answers otherwise. */
const REPLY_OCTETS = 10
/** Milliseconds without an octet until a tunnel counts as broken: nothing here takes that long. */
const SILENCE_MS = 5_000

// One buffer for all: a read is counted before the next one starts.
const INBOX = Buffer.alloc(256 * 1024)

/** Opens a tunnel; `onOctets` is told how many octets came through it. Rejects when it is refused or breaks. */
export function openTunnel(way: Way, targetPort: number, onOctets: (count: number) => void): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  let reply = way.kind === 'direct' ? undefined : Buffer.alloc(0)
  let isSelected = false

  // SOCKS5 (RFC 1928): the selection, then the reply; what is behind it came through the tunnel.
  const read = (octets: Buffer): void => {
    if (reply === undefined) return onOctets(octets.length)
    reply = Buffer.concat([reply, octets])
    if (reply.length < 2) return
    if (reply[0] !== 5 || reply[1] !== 0) return void socket.destroy(new Error(`refused: ${reply.toString('hex')}`))
    if (!isSelected) {
      isSelected = true
      reply = reply.subarray(2)
      socket.write(Buffer.of(5, 1, 0, 1, 127, 0, 0, 1, targetPort >> 8, targetPort & 0xff))
    } else if (reply.length >= REPLY_OCTETS) {
      const behind = reply.length - REPLY_OCTETS
      reply = undefined
      resolve(socket)
      if (behind > 0) onOctets(behind)
    }
  }

  const socket = connect({
    host: '127.0.0.1',
    port: way.kind === 'direct' ? targetPort : way.port,
    noDelay: true,
    timeout: SILENCE_MS,
    onread: {
      buffer: INBOX,
      callback(count) {
        read(INBOX.subarray(0, count))
        return true
      },
    },
  })
  socket.on('connect', () => (way.kind === 'direct' ? resolve(socket) : socket.write(GREETING)))
  socket.on('timeout', () => socket.destroy(new Error('nothing came for five seconds')))
  socket.on('error', reject)
  socket.on('close', () => reject(new Error('the tunnel was closed')))
  return promise
}

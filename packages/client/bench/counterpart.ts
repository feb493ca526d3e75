/**
 * The other end of every measurement, in a thread of its own: a SOCKS5 proxy that does as little as a proxy can, and is
 * the target itself. What is asked of it is chosen by the port of the destination. Knows no client.
 */
import { createServer as createWebServer } from 'node:http'
import { type AddressInfo, type Socket, createServer } from 'node:net'
import { TLSSocket, createSecureContext } from 'node:tls'
import { parentPort } from 'node:worker_threads'
import { SERVER } from '../../engine/test/data/certificates.ts'
import { TARGET } from './targets.ts'

/** Of each chunk that the source sends: four times what a socket buffer starts with. */
const CHUNK = Buffer.alloc(256 * 1024)
/** What a web server sends for `/big`: long enough that its beginning does not count. */
const BIG_CHUNKS = 256

const SELECTED = Buffer.of(5, 0)
const GRANTED = Buffer.of(5, 0, 0, 1, 127, 0, 0, 1, 0, 0)
/** VER CMD RSV ATYP, four octets, port. */
const IPV4_REQUEST_OCTETS = 10

const web = createWebServer({ keepAliveTimeout: 0 }, (request, response) => {
  if (request.url !== '/big') return response.end('ok')
  let left = BIG_CHUNKS
  const pour = (): void => {
    while (left-- > 0 && response.write(CHUNK));
    if (left <= 0) response.end()
  }
  response.on('drain', pour)
  pour()
})

const secureContext = createSecureContext({ cert: SERVER.certificate, key: SERVER.key })

function becomeTarget(socket: Socket, port: number): void {
  switch (port) {
    case TARGET.source: {
      const pour = (): void => {
        while (!socket.destroyed && socket.write(CHUNK));
      }
      socket.on('drain', pour)
      return pour()
    }
    case TARGET.echo:
      return void socket.on('data', octets => socket.write(octets))
    case TARGET.web:
      return void web.emit('connection', socket)
    default: {
      const secure = new TLSSocket(socket, { isServer: true, secureContext })
      secure.on('error', () => {})
      web.emit('connection', secure)
    }
  }
}

const server = createServer({ noDelay: true }, socket => {
  let isGreeted = false
  const onData = (octets: Buffer): void => {
    // The clients write each message at once, and loopback keeps it whole.
    if (!isGreeted) {
      isGreeted = true
      return void socket.write(SELECTED)
    }
    socket.off('data', onData)
    if (octets.length < IPV4_REQUEST_OCTETS) throw new Error('half a request')
    socket.write(GRANTED)
    becomeTarget(socket, octets.readUInt16BE(octets.length - 2))
  }
  socket.on('data', onData).on('error', () => {})
})
server.listen(0, '127.0.0.1', () => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- It is a thread, not a window.
  parentPort?.postMessage((server.address() as AddressInfo).port)
})

/** The HTTP requests of one client connection that does not begin with CONNECT: hands them to Node's parser. */
import { type IncomingMessage, createServer } from 'node:http'
import { concat, latin1Octets } from '@socksmith/protocol'
import type { Session } from '../session.ts'
import { ConnectionDuplex } from './connection-duplex.ts'
import { forward } from './forward.ts'

/** As for CONNECT: four times what browsers send. */
const HEAD_OCTETS_MAX = 16_384
/** Between two requests on one client connection. */
const KEEP_ALIVE_MS = 30_000

export function serveHttp(session: Session): void {
  const stream = new ConnectionDuplex(session.connection, session.takeRemainder())
  const server = createServer({
    maxHeaderSize: HEAD_OCTETS_MAX,
    headersTimeout: session.context.limits.handshakeMs,
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requireHostHeader: false,
  })
  server.on('request', (request, response) => void forward(session, request, response))
  // A client may ask for a tunnel after some plain requests: its connection begins anew, with these octets.
  server.on('connect', (request: IncomingMessage, _stream: unknown, head: Buffer) => {
    const early = concat([headOf(request), head, stream.release()])
    server.close()
    session.again(early)
  })
  session.handOver({ abandon: () => stream.destroy() })
  stream.on('close', () => {
    server.close()
    if (!stream.isReleased) session.closed()
  })
  server.emit('connection', stream)
}

function headOf(request: IncomingMessage): Uint8Array {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`]
  const raw = request.rawHeaders
  for (let i = 0; i + 1 < raw.length; i += 2) lines.push(`${raw[i]}: ${raw[i + 1]}`)
  return latin1Octets(`${lines.join('\r\n')}\r\n\r\n`)
}

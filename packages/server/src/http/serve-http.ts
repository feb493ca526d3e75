/** The HTTP requests of one client connection that does not begin with CONNECT: hands them to Node's parser. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { ConnectionDuplex, type Timer } from '@socksmith/engine'
import { concat, failure, httpErrorResponse, latin1Octets } from '@socksmith/protocol'
import type { Session } from '../session.ts'
import { forward } from './forward.ts'
import { nodeHttp } from './node-http.ts'

/** As for CONNECT, twice: cookies of ordinary sites are large. */
const HEAD_OCTETS_MAX = 16_384
/** From the end of one request to the whole head of the next on the same client connection. */
const KEEP_ALIVE_MS = 30_000

export function serveHttp(session: Session): void {
  const stream = new ConnectionDuplex(session.connection, session.takeRemainder())
  session.handOver({ abandon: () => stream.destroy() })
  new HttpSession(session, stream).start()
}

class HttpSession {
  readonly #session: Session
  readonly #stream: ConnectionDuplex
  readonly #server: Server
  #waiting: Timer | undefined
  #requests = 0
  #inFlight = 0

  constructor(session: Session, stream: ConnectionDuplex) {
    this.#session = session
    this.#stream = stream
    // Node enforces its own time-outs only on sockets that it accepted itself: they are kept here instead.
    this.#server = nodeHttp().createServer({
      maxHeaderSize: HEAD_OCTETS_MAX,
      requireHostHeader: false,
      keepAliveTimeout: 0,
    })
  }

  start(): void {
    this.#server.on('request', (request, response) => this.#onRequest(request, response))
    this.#server.on('connect', (request: IncomingMessage, _stream, head) => this.#onConnect(request, head))
    this.#server.on('clientError', (error: NodeJS.ErrnoException) => this.#onMalformed(error))
    this.#stream.on('close', () => this.#onClose())
    // The limit counts from accept: the first octets must not bring the client the same time once more.
    const { context, origin } = this.#session
    const leftMs = origin.acceptedAtMs + context.limits.handshakeMs - context.engine.clock.monotonicMs()
    this.#waitFor(Math.max(0, leftMs))
    this.#server.emit('connection', this.#stream)
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    this.#waiting?.cancel()
    this.#requests++
    this.#inFlight++
    response.once('close', () => {
      if (--this.#inFlight === 0) this.#waitFor(KEEP_ALIVE_MS)
    })
    void forward(this.#session, request, response)
  }

  // A client may ask for a tunnel after some plain requests: its connection begins anew, with these octets.
  #onConnect(request: IncomingMessage, head: Uint8Array): void {
    this.#waiting?.cancel()
    this.#session.again(concat([headOf(request), head, this.#stream.release()]))
  }

  #onMalformed(error: NodeJS.ErrnoException): void {
    if (this.#stream.destroyed) return
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400
    if (this.#inFlight === 0) this.#stream.write(httpErrorResponse(status))
    this.#stream.destroy()
    const code = status === 431 ? 'header_too_large' : 'bad_syntax'
    this.#session.recordHttp('refused', failure(code, 'client', 'not a valid HTTP request'))
  }

  // The deadline counts for the whole head, however slowly it trickles in.
  #waitFor(ms: number): void {
    this.#waiting?.cancel()
    if (this.#stream.destroyed) return
    this.#waiting = this.#session.context.engine.clock.after(ms, () => {
      this.#stream.destroy()
      if (this.#requests > 0) return
      this.#session.recordHttp('handshake-timeout', failure('timed_out', 'client', 'no complete HTTP request in time'))
    })
  }

  #onClose(): void {
    this.#waiting?.cancel()
    this.#server.close()
    if (!this.#stream.isReleased) this.#session.closeSoon()
  }
}

function headOf(request: IncomingMessage): Uint8Array {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`]
  const raw = request.rawHeaders
  for (let i = 0; i + 1 < raw.length; i += 2) lines.push(`${raw[i]}: ${raw[i + 1]}`)
  return latin1Octets(`${lines.join('\r\n')}\r\n\r\n`)
}

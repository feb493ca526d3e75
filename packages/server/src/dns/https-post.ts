/** The requests of DNS over HTTPS: POST, the certificate is verified. Connections are kept for a moment: names come in bunches. */
import { Agent, type IncomingMessage, request } from 'node:http'
import type { Duplex } from 'node:stream'
import { ConnectionDuplex, type Timer } from '@socksmith/engine'
import { type Destination, type Failure, NO_OCTETS, failure, parseIp } from '@socksmith/protocol'
import { type DnsGround, SERVER_MS, dialServer } from './ground.ts'
import type { HttpsServer } from './https-exchange.ts'
import type { DnsExchange } from './lookup.ts'

/** Milliseconds that an unused connection is kept; also how long one can hold back the end of the process. */
const IDLE_MS = 2_000
/** RFC 8484 section 6: as long as a message over TCP. */
const ANSWER_OCTETS_MAX = 65_535
const CONNECTIONS_MAX = 4
const MEDIA_TYPE = 'application/dns-message'

/** See `httpsExchange`. */
export function httpsPost(ground: DnsGround, server: HttpsServer): DnsExchange {
  const agent = new TunnelAgent(ground, server)
  return query => post(agent, server.url, query)
}

class TunnelAgent extends Agent {
  readonly #ground: DnsGround
  readonly #server: HttpsServer
  readonly #idle = new WeakMap<Duplex, Timer>()

  constructor(ground: DnsGround, server: HttpsServer) {
    super({ keepAlive: true, maxSockets: CONNECTIONS_MAX, maxFreeSockets: CONNECTIONS_MAX })
    this.#ground = ground
    this.#server = server
  }

  override createConnection(_options: object, callback?: (error: Error | null, stream: Duplex) => void): undefined {
    void this.#hand(callback)
  }

  // The streams are no sockets of Node, which alone know keep-alive and references.
  override keepSocketAlive(stream: Duplex): boolean {
    this.#idle.set(
      stream,
      this.#ground.engine.clock.after(IDLE_MS, () => stream.destroy()),
    )
    return true
  }

  override reuseSocket(stream: Duplex): void {
    this.#idle.get(stream)?.cancel()
  }

  async #hand(callback?: (error: Error | null, stream: Duplex) => void): Promise<void> {
    const connected = await this.#connect()
    if (connected instanceof Error) callback?.(connected, undefined as unknown as Duplex)
    else callback?.(null, connected)
  }

  async #connect(): Promise<Duplex | ExchangeError> {
    const { url, authorities } = this.#server
    const { engine } = this.#ground
    const dialled = await dialServer(this.#ground, placeOf(url))
    if ('code' in dialled) return new ExchangeError(dialled)
    const securing = engine.secureAsClient(dialled.connection, dialled.early, {
      serverName: hostOf(url),
      timeoutMs: SERVER_MS,
      ...(authorities !== undefined && { authorities }),
    })
    const secured = await securing.result
    if ('code' in secured) return new ExchangeError(secured)
    return new ConnectionDuplex(secured, NO_OCTETS)
  }
}

/** A failure on its way through Node's HTTP. */
class ExchangeError extends Error {
  readonly failure: Failure

  constructor(why: Failure) {
    super(why.detail ?? why.code)
    this.failure = why
  }
}

function post(agent: Agent, url: URL, query: Uint8Array): Promise<Uint8Array | Failure> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | Failure>()
  const asking = request({
    agent,
    method: 'POST',
    host: url.host,
    path: `${url.pathname}${url.search}`,
    headers: { Host: url.host, Accept: MEDIA_TYPE, 'Content-Type': MEDIA_TYPE, 'Content-Length': query.length },
    signal: AbortSignal.timeout(2 * SERVER_MS),
  })
  asking.on('error', error => resolve(failureOf(error)))
  asking.on('response', response => void read(response).then(resolve))
  asking.end(query)
  return promise
}

async function read(response: IncomingMessage): Promise<Uint8Array | Failure> {
  const chunks: Buffer[] = []
  let octets = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      octets += chunk.length
      if (octets > ANSWER_OCTETS_MAX) return failure('name_not_found', 'target', 'the DNS server says too much')
      chunks.push(chunk)
    }
  } catch (error) {
    return failureOf(error)
  }
  if (response.statusCode === 200 && response.headers['content-type'] === MEDIA_TYPE) return Buffer.concat(chunks)
  return failure('name_not_found', 'target', `the DNS server answers with status ${response.statusCode}`)
}

function failureOf(error: unknown): Failure {
  if (error instanceof ExchangeError) return { ...error.failure, blame: 'target' }
  const isLate = error instanceof Error && error.name === 'AbortError'
  return isLate
    ? failure('name_timed_out', 'target', 'the DNS server does not answer')
    : failure('name_not_found', 'target', 'the DNS server broke off')
}

function placeOf(url: URL): Destination {
  const host = hostOf(url)
  return { address: parseIp(host) ?? { type: 'domain', name: host }, port: url.port === '' ? 443 : Number(url.port) }
}

function hostOf({ hostname }: URL): string {
  return /^\[(.*)\]$/.exec(hostname)?.[1] ?? hostname
}

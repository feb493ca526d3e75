/**
 * What every contract needs: an engine under test between peers that are plain `node:net` sockets, so that the judge is
 * not the accused; waiting for a condition with a deadline; and the count of descriptors.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { formatAddress, parseIp } from '@socksmith/protocol'
import type { Endpoint, Failure, IpAddress } from '@socksmith/protocol'
import type { Clock, Connection, Engine, Listener, Place } from '../../src/ports.ts'

/** Makes the engine under test, with the given clock or its own. */
export type MakeEngine = (clock?: Clock) => Engine

/** What an engine may lack. A flag that is set holds the reason, and its cases are skipped with it. */
export interface Cannot {
  /** Speak TLS. */
  readonly secure?: string
  /** Bind an IPv6 socket, on this machine. */
  readonly ipv6?: string
}

/** The longest that any condition of these tests may take to become true, on a busy machine. */
const DEADLINE_MS = 10_000

/** Waits until `condition` holds. Fails with what it was about when it does not come true. */
export async function until(condition: () => boolean, what: string, limitMs: number = DEADLINE_MS): Promise<void> {
  const deadline = Date.now() + limitMs
  while (!condition()) {
    assert.ok(Date.now() < deadline, `never came true: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

/** Waits until `value` does not change any more, and answers it. */
export async function steady(value: () => number): Promise<number> {
  const deadline = Date.now() + DEADLINE_MS
  let last = value()
  for (let same = 0; same < 20;) {
    assert.ok(Date.now() < deadline, `never became steady: ${last}`)
    await new Promise(resolve => setTimeout(resolve, 10))
    const now = value()
    same = now === last ? same + 1 : 0
    last = now
  }
  return last
}

/** Descriptors of this process. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length
}

// What a test that failed has left open, so that the next one starts clean and the process can end.
const leftovers: (() => void)[] = []

/** A test after which no descriptor may be left that was not there before. It closes what it opened. */
export function leakTest(name: string, body: (t: TestContext) => Promise<void>, cannot?: string): void {
  test(name, { skip: cannot ?? false, timeout: 60_000 }, async t => {
    const before = openDescriptors()
    try {
      await body(t)
      await until(() => openDescriptors() <= before, `descriptors back at ${before}, now ${openDescriptors()}`)
    } finally {
      for (const close of leftovers.splice(0)) close()
    }
  })
}

/** Loopback, any port. */
export const LOOPBACK: Place = ipPlace('127.0.0.1', 0)

export function ipPlace(address: string, port: number): Place {
  return { kind: 'ip', endpoint: endpoint(address, port) }
}

export function endpoint(address: string, port: number): Endpoint {
  return { address: parseIp(address) as IpAddress, port }
}

export function portOf(place: Place): number {
  assert.equal(place.kind, 'ip')
  return place.kind === 'ip' ? place.endpoint.port : 0
}

/** The value, when it is no failure. */
export function must<T extends object>(result: T | Failure): T {
  assert.ok(!('code' in result), `failed: ${JSON.stringify(result)}`)
  return result
}

/** The failure, when it is one. */
export function mustFail(result: object): Failure {
  assert.ok('code' in result, 'expected a failure')
  return result as Failure
}

/** A plain peer: what it received, and how it ended. Reads only after `listen()`. */
export class Peer {
  readonly socket: Socket
  received = 0
  readonly #hash = createHash('sha256')
  readonly #chunks: Buffer[] = []
  hasEnd = false
  hasClosed = false
  error: string | undefined

  constructor(socket: Socket) {
    this.socket = socket
    leftovers.push(() => socket.destroy())
    socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error.code))
    socket.on('end', () => (this.hasEnd = true))
    socket.on('close', () => (this.hasClosed = true))
  }

  /** Starts to read. */
  listen(): this {
    this.socket.on('data', (octets: Buffer) => {
      this.received += octets.length
      this.#hash.update(octets)
      if (this.received <= 64 * 1024) this.#chunks.push(octets)
    })
    this.socket.resume()
    return this
  }

  /** What came so far, as text; for short exchanges. */
  get text(): string {
    return Buffer.concat(this.#chunks).toString('latin1')
  }

  digest(): string {
    return this.#hash.copy().digest('hex')
  }
}

/** A plain client, connected. */
export async function plainClient(to: Place): Promise<Peer> {
  const where =
    to.kind === 'unix' ? { path: to.path } : { host: formatAddress(to.endpoint.address), port: to.endpoint.port }
  const socket = connect({ ...where, allowHalfOpen: true })
  const peer = new Peer(socket)
  await until(() => !socket.connecting, 'the plain client is connected')
  return peer
}

/** A plain server and the peers that came. */
export interface PlainServer {
  readonly place: Place
  readonly peers: Peer[]
  close(): void
}

export async function plainServer(place: Place = LOOPBACK): Promise<PlainServer> {
  const peers: Peer[] = []
  const server: Server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, socket =>
    peers.push(new Peer(socket)),
  )
  if (place.kind === 'unix') server.listen(place.path)
  else server.listen(place.endpoint.port, '127.0.0.1')
  await new Promise<void>(resolve => server.once('listening', resolve))
  leftovers.push(() => void server.close())
  const real = place.kind === 'unix' ? place : ipPlace('127.0.0.1', (server.address() as AddressInfo).port)
  return { place: real, peers, close: () => void server.close() }
}

/** Listens with the engine and collects what is accepted. */
export async function collect(
  engine: Engine,
  place: Place = LOOPBACK,
  more: { dualStack?: boolean } = {},
): Promise<{ listener: Listener; accepted: Connection[] }> {
  const accepted: Connection[] = []
  leftovers.push(() => accepted.forEach(one => one.destroy()))
  const handler = { onConnection: (one: Connection) => void accepted.push(one), onAcceptFailure: () => {} }
  const listener = must(await engine.listen({ place, backlog: 128, ...more }, handler))
  leftovers.push(() => void listener.close())
  return { listener, accepted }
}

/** One connection of the engine, with the plain peer at its other end. */
export async function pair(engine: Engine, place: Place = LOOPBACK): Promise<{ ours: Connection; peer: Peer }> {
  const { listener, accepted } = await collect(engine, place)
  const peer = await plainClient(listener.place)
  await until(() => accepted.length === 1, 'accepted')
  await listener.close()
  return { ours: accepted[0] as Connection, peer }
}

/** Keeps what a reader of the engine was told. */
export class Recorder {
  octets = Buffer.alloc(0)
  total = 0
  ends = 0
  readonly closes: string[] = []

  onOctets = (octets: Uint8Array): void => {
    this.total += octets.length
    this.octets = Buffer.concat([this.octets, octets])
  }
  onEnd = (): void => {
    this.ends++
  }
  onClose = (cause: string): void => {
    this.closes.push(cause)
  }
}

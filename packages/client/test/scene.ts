/**
 * What the tests need: real proxies of our own server in this process, targets, a proxy that follows a script, and a test
 * that fails when a descriptor is left. Everything listens on loopback and ends with its test.
 */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type SecureOptions, createCachingResolver, createNodeEngine, systemLookup } from '@socksmith/engine'
import { parseIp } from '@socksmith/protocol'
import type { IpAddress } from '@socksmith/protocol'
import { type ServerOptions, type SessionRecord, createServer as createProxy } from '@socksmith/server'
import { SERVER } from '../../engine/test/data/certificates.ts'
import { SocksError } from '../src/index.ts'

export { AUTHORITY, SERVER } from '../../engine/test/data/certificates.ts'

const SECURE: SecureOptions = { certificate: SERVER.certificate, key: SERVER.key, timeoutMs: 10_000 }

/** The longest that anything in these tests may take on a busy machine. */
const DEADLINE_MS = 10_000

/** Descriptors of this process. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS
  while (!condition()) {
    assert.ok(Date.now() < deadline, `never came true: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

/** A test after whose cleaning no descriptor may be left that was not there before. */
export function leakTest(name: string, body: (scene: Scene) => Promise<void>): void {
  test(name, { timeout: 30_000 }, async t => {
    const scene = new Scene(t)
    const before = openDescriptors()
    try {
      await body(scene)
    } finally {
      await scene.close()
    }
    await until(() => openDescriptors() <= before, `descriptors back at ${before}, now ${openDescriptors()}`)
  })
}

/** One of our own servers. */
export interface Proxy {
  readonly port: number
  readonly records: SessionRecord[]
  /** A URL of this proxy. */
  url(scheme?: string, login?: string): string
}

export interface ProxyTraits {
  /** `alice` with `open sesame` must log in. */
  readonly password?: boolean
  readonly tls?: boolean
  readonly path?: string
  readonly more?: Partial<ServerOptions>
}

/** What one test opens. */
export class Scene {
  readonly t: TestContext
  readonly #closers: (() => unknown)[] = []

  constructor(t: TestContext) {
    this.t = t
  }

  /** Is closed with the scene. */
  onClose(close: () => unknown): void {
    this.#closers.push(close)
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).toReversed()) await close()
  }

  async proxy(traits: ProxyTraits = {}): Promise<Proxy> {
    const records: SessionRecord[] = []
    const engine = createNodeEngine()
    const resolver = createCachingResolver({
      lookup: systemLookup,
      clock: engine.clock,
      positiveTtlMs: 1_000,
      negativeTtlMs: 0,
      entriesMax: 10,
      concurrentMax: 2,
      timeoutMs: 5_000,
    })
    const place =
      traits.path === undefined
        ? ({ kind: 'ip', endpoint: { address: parseIp('127.0.0.1') as IpAddress, port: 0 } } as const)
        : ({ kind: 'unix', path: traits.path } as const)
    const server = createProxy({
      engine,
      resolver,
      listeners: [
        {
          place,
          protocols: { socks4: traits.password !== true, socks5: true, http: true },
          authentication: traits.password === true ? 'password' : 'none',
          ...(traits.tls === true && { tls: () => SECURE }),
        },
      ],
      authenticate: ({ username, password }) =>
        Promise.resolve(text(username) === 'alice' && text(password) === 'open sesame' ? 'alice' : undefined),
      onSession: record => records.push(record),
      ...traits.more,
    })
    const places = await server.start()
    assert.ok(!('code' in places))
    this.onClose(() => server.stop({ deadlineMs: 0 }))
    const [at] = places
    const port = at?.kind === 'ip' ? at.endpoint.port : 0
    const url = (scheme = 'socks5h', login = ''): string => `${scheme}://${login && `${login}@`}127.0.0.1:${port}`
    return { port, records, url }
  }

  /** Hands every connection to the function; the port. */
  async target(serve: (socket: Socket) => void, host = '127.0.0.1'): Promise<number> {
    const sockets = new Set<Socket>()
    const server: Server = createServer({ allowHalfOpen: true }, socket => {
      sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
      serve(socket)
    })
    server.listen(0, host)
    await once(server, 'listening')
    this.onClose(async () => {
      for (const socket of sockets) socket.destroy()
      const closed = once(server, 'close')
      server.close()
      await closed
    })
    return (server.address() as AddressInfo).port
  }

  /** Sends back what it gets; the port. */
  echo(): Promise<number> {
    return this.target(socket => socket.pipe(socket))
  }

  /** Sends back every datagram; the port. */
  async udpEcho(address: '127.0.0.1' | '::1' = '127.0.0.1'): Promise<number> {
    const socket = createSocket(address === '::1' ? 'udp6' : 'udp4', (octets, from) =>
      socket.send(octets, from.port, from.address),
    )
    socket.bind(0, address)
    await once(socket, 'listening')
    this.onClose(() => new Promise<void>(resolve => socket.close(() => resolve())))
    return socket.address().port
  }

  /** A port on which nobody listens. */
  async deadPort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    return port
  }
}

/** The error with which the promise must reject. */
export async function rejection(promise: Promise<unknown>): Promise<SocksError> {
  const outcome = await promise.then(
    () => 'it worked',
    (error: unknown) => error,
  )
  assert.ok(outcome instanceof SocksError, `no SocksError: ${String(outcome)}`)
  return outcome
}

/** All that a socket brings until it ends. */
export async function everything(socket: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('latin1')
}

function text(octets: Uint8Array): string {
  return Buffer.from(octets).toString()
}

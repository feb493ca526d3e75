/** A running server on loopback for a test, a raw client that speaks octets, and targets. Everything ends with the test. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type Server as NetServer, type Socket, connect, createServer as createNetServer } from 'node:net'
import type { TestContext } from 'node:test'
import { type Resolution, type Resolver } from '@socksmith/engine'
import { type IpAddress, fromHex, parseIp, utf8Text } from '@socksmith/protocol'
import { createEngine } from './engine.ts'
import {
  type Server,
  type ServerEvent,
  type ServerOptions,
  type SessionRecord,
  createServer,
  parseNetwork,
} from '@socksmith/server'

export function ip(text: string): IpAddress {
  const address = parseIp(text)
  assert.ok(address, text)
  return address
}

export function hex(text: string): Buffer {
  const octets = fromHex(text.replaceAll(' ', ''))
  assert.ok(octets, text)
  return Buffer.from(octets)
}

/** Four hex digits. */
export function portHex(port: number): string {
  return port.toString(16).padStart(4, '0')
}

/** Names that the tests know; every other name does not exist. */
export function fixedResolver(names: Readonly<Record<string, readonly string[]>>): Resolver {
  return {
    resolve: name => {
      const addresses = names[name]
      const found: Resolution = addresses?.map(ip) ?? { code: 'name_not_found', blame: 'target' }
      return Promise.resolve(found)
    },
  }
}

export interface Scene {
  readonly server: Server
  /** Of the first listener. */
  readonly port: number
  readonly ports: readonly number[]
  readonly records: readonly SessionRecord[]
  readonly events: readonly ServerEvent[]
  /** Resolves with the first record that fits, now or later. */
  readonly record: (fits?: (record: SessionRecord) => boolean) => Promise<SessionRecord>
}

export const ALL_PROTOCOLS = { socks4: true, socks5: true, http: true } as const

/** A listener without a password on 127.0.0.1, and whatever the test adds. */
export async function openScene(t: TestContext, overrides: Partial<ServerOptions> = {}): Promise<Scene> {
  const records: SessionRecord[] = []
  const events: ServerEvent[] = []
  const waiting: { fits: (record: SessionRecord) => boolean; resolve: (record: SessionRecord) => void }[] = []
  const server = createServer({
    engine: createEngine(),
    resolver: fixedResolver({ localhost: ['127.0.0.1'] }),
    listeners: [loopbackListener()],
    // bob's password is secret.
    authenticate: ({ username, password }) =>
      Promise.resolve(utf8Text(username) === 'bob' && utf8Text(password) === 'secret' ? 'bob' : undefined),
    onSession: record => {
      records.push(record)
      for (const one of waiting) if (one.fits(record)) one.resolve(record)
    },
    onEvent: event => events.push(event),
    ...overrides,
  })
  const places = await server.start()
  assert.ok(!('code' in places), JSON.stringify(places))
  t.after(() => server.stop({ deadlineMs: 0 }))
  const ports = places.map(place => (place.kind === 'ip' ? place.endpoint.port : 0))
  return {
    server,
    port: ports[0] ?? 0,
    ports,
    records,
    events,
    record: (fits = () => true) => {
      const { promise, resolve } = Promise.withResolvers<SessionRecord>()
      const found = records.find(fits)
      if (found !== undefined) resolve(found)
      else waiting.push({ fits, resolve })
      return promise
    },
  }
}

export function loopbackListener(
  overrides: Partial<ServerOptions['listeners'][number]> = {},
): ServerOptions['listeners'][number] {
  return {
    place: { kind: 'ip', endpoint: { address: ip('127.0.0.1'), port: 0 } },
    protocols: ALL_PROTOCOLS,
    authentication: 'none',
    ...overrides,
  }
}

/** A listener that believes PROXY headers from this host: so a test can come from anywhere. */
export function listenerForStrangers(): ServerOptions['listeners'][number] {
  const network = parseNetwork('127.0.0.0/8')
  assert.ok(network)
  return loopbackListener({ proxyProtocolFrom: [network] })
}

export const FROM_OUTSIDE = Buffer.from('PROXY TCP4 203.0.113.5 192.0.2.1 40000 1080\r\n')

/** A client that writes octets and waits for octets. */
export class RawClient {
  readonly socket: Socket
  #inbox: Buffer = Buffer.alloc(0)
  #isOver = false
  #error: NodeJS.ErrnoException | undefined
  #wake: (() => void) | undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#inbox = Buffer.concat([this.#inbox, chunk])
      this.#wake?.()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error
    })
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.#isOver = true
        this.#wake?.()
      })
    }
  }

  send(octets: string | Uint8Array): void {
    this.socket.write(typeof octets === 'string' ? hex(octets) : octets)
  }

  /** Exactly this many octets, as hex. */
  async read(count: number): Promise<string> {
    while (this.#inbox.length < count) {
      assert.ok(!this.#isOver, `the stream ended after ${this.#inbox.toString('hex')}; ${count} octets were expected`)
      await this.#next()
    }
    const taken = this.#inbox.subarray(0, count)
    this.#inbox = this.#inbox.subarray(count)
    return taken.toString('hex')
  }

  /** Everything until FIN or RST. */
  async readToEnd(): Promise<Buffer> {
    while (!this.#isOver) await this.#next()
    return this.#inbox
  }

  /** The code of the socket's error, once it is closed. */
  async closed(): Promise<string | undefined> {
    if (!this.socket.closed) await new Promise(resolve => this.socket.once('close', resolve))
    return this.#error?.code
  }

  #next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    return promise
  }
}

export async function openClient(t: TestContext, port: number, host = '127.0.0.1'): Promise<RawClient> {
  const socket = connect({ port, host, allowHalfOpen: true })
  t.after(() => socket.destroy())
  const client = new RawClient(socket)
  await once(socket, 'connect')
  return client
}

/** A TCP target; each connection is handed to `serve`. */
export async function openTarget(
  t: TestContext,
  serve: (socket: Socket) => void,
  host = '127.0.0.1',
): Promise<{ readonly port: number; readonly server: NetServer }> {
  const sockets = new Set<Socket>()
  const server = createNetServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    serve(socket)
  })
  server.listen(0, host)
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return { port: address.port, server }
}

export const echo = (socket: Socket): void => void socket.pipe(socket)

/** A port on which nobody listens. */
export async function deadPort(): Promise<number> {
  const server = createNetServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  server.close()
  await once(server, 'close')
  return address.port
}

/** SOCKS5 greeting and CONNECT to 127.0.0.1, in one piece. */
export function connectRequest(port: number): string {
  return `050100 05010001 7f000001 ${portHex(port)}`
}

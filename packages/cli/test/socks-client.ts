/** A SOCKS5 client in raw octets, and an echo to talk to: they share no code with what they test. */
import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import type { TestContext } from 'node:test'

/** An echo server on loopback; its port. */
export async function echo(t: TestContext): Promise<number> {
  const server = createServer(socket => {
    socket.on('error', () => undefined)
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

/** That it is closed, by an error too: `once` would throw what the last write met. */
export function whenClosed(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (socket.closed) resolve()
  else socket.once('close', () => resolve())
  return promise
}

export interface Login {
  readonly name: string
  readonly password: string
}

/** A stream read by counts. */
export class OctetStream {
  readonly socket: Socket
  #octets = Buffer.alloc(0)
  #wake: () => void = () => undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#octets = Buffer.concat([this.#octets, chunk])
      this.#wake()
    })
    socket.on('close', () => this.#wake())
    socket.on('error', () => undefined)
  }

  /** Exactly `count` octets; rejects when the stream ends before. */
  async take(count: number): Promise<Buffer> {
    while (this.#octets.length < count) {
      if (this.socket.closed) throw new Error(`closed after ${this.#octets.length} of ${count} octets`)
      await new Promise<void>(resolve => (this.#wake = resolve))
    }
    const taken = this.#octets.subarray(0, count)
    this.#octets = this.#octets.subarray(count)
    return taken
  }
}

/** Opens a stream to a proxy: a port on loopback, or the path of a Unix socket. */
export async function open(t: TestContext, proxy: number | string): Promise<OctetStream> {
  const socket = typeof proxy === 'number' ? connect(proxy, '127.0.0.1') : connect(proxy)
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return new OctetStream(socket)
}

/** Logs in by RFC 1929: true when STATUS is 0. */
export async function logIn(stream: OctetStream, { name, password }: Login): Promise<boolean> {
  stream.socket.write(Buffer.from([5, 1, 2]))
  const [, method] = await stream.take(2)
  if (method !== 2) return false
  const [n, p] = [Buffer.from(name), Buffer.from(password)]
  stream.socket.write(Buffer.concat([Buffer.of(1, n.length), n, Buffer.of(p.length), p]))
  return (await stream.take(2))[1] === 0
}

/** CONNECT to a port on 127.0.0.1 after the method is settled; REP. */
export async function requestConnect(stream: OctetStream, port: number): Promise<number> {
  stream.socket.write(Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 0xff]))
  return (await stream.take(10))[1] ?? -1
}

/** Greets without authentication and connects; REP. */
export async function connectPlainly(stream: OctetStream, port: number): Promise<number> {
  stream.socket.write(Buffer.from([5, 1, 0]))
  const [, method] = await stream.take(2)
  return method === 0 ? requestConnect(stream, port) : -1
}

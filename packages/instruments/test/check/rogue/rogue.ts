/**
 * A small SOCKS server that is right in everything the suite asks, with one fault switched on by name: so that a test can
 * show that each case finds its fault, and nothing else. Shares no code with the suite or with the real server.
 */
import { once } from 'node:events'
import { type AddressInfo, type Server, Socket, createServer } from 'node:net'
import { finish } from './ending.ts'
import { Reader } from './reader.ts'
import { serveHttp } from './http.ts'
import { serveSocks4 } from './socks4.ts'
import { serveSocks5 } from './socks5.ts'
import type { Rogue, RogueOptions } from './terms.ts'
import { openSharedUdp } from './udp.ts'

export interface RunningRogue {
  readonly port: number
  close(): Promise<void>
}

const HANDSHAKE_MS = 60_000

export async function openRogue(options: RogueOptions = {}): Promise<RunningRogue> {
  const sockets = new Set<{ destroy(): void }>()
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true })
  // Kept: a request may still be looked up when the listener has closed.
  let port = 0
  const rogue: Rogue = {
    options,
    has: trait => options.fault === trait || options.peculiarity === trait,
    port: () => port,
    sockets,
    shared: { connections: 0, isStalled: false, hasLost: false, names: Promise.resolve(), turn: Promise.resolve() },
    stop: () => server.close(),
  }
  server.on('connection', socket => accept(rogue, socket))
  server.listen(0, options.host ?? '127.0.0.1')
  await once(server, 'listening')
  ;({ port } = server.address() as AddressInfo)
  const shared = rogue.has('udp-open-port') ? await openSharedUdp(port) : undefined
  return {
    port,
    async close() {
      shared?.close()
      for (const socket of sockets) socket.destroy()
      if (server.listening) await new Promise(resolve => server.close(resolve))
    },
  }
}

/** The most connections that the leaking server ever takes. */
const LEAK_MAX = 30

function accept(rogue: Rogue, socket: Socket): void {
  const { shared, sockets } = rogue
  sockets.add(socket)
  shared.connections++
  if (rogue.has('leaks') && shared.connections > LEAK_MAX) return void socket.destroy()
  if (rogue.has('ten-of-one-address') && isTooMany(rogue, socket)) return void socket.destroy()
  if (rogue.has('stops-on-reset')) socket.on('error', () => rogue.stop())
  socket.on('error', () => {})
  const reader = new Reader(socket, rogue.has('ignores-fin'))
  limitHandshake(rogue, socket, reader)
  const session = async (): Promise<void> => {
    if (rogue.has('banner')) socket.write('welcome\n')
    await serve(rogue, socket, reader)
    reader.isServed = true
  }
  if (!rogue.has('one-at-a-time')) return void session()
  shared.turn = shared.turn.then(session)
}

const OF_ONE_ADDRESS_MAX = 10

function isTooMany({ sockets }: Rogue, { remoteAddress }: Socket): boolean {
  const open = [...sockets].filter(
    one => one instanceof Socket && !one.destroyed && one.remoteAddress === remoteAddress,
  )
  return open.length > OF_ONE_ADDRESS_MAX
}

function limitHandshake(rogue: Rogue, socket: Socket, reader: Reader): void {
  if (rogue.has('no-handshake-limit')) return
  const end = (): void => {
    if (!reader.isServed) socket.destroy()
  }
  let timer = setTimeout(end, rogue.options.handshakeMs ?? HANDSHAKE_MS)
  timer.unref()
  if (!rogue.has('limit-starts-anew')) return
  socket.on('data', () => {
    clearTimeout(timer)
    timer = setTimeout(end, rogue.options.handshakeMs ?? HANDSHAKE_MS)
    timer.unref()
  })
}

async function serve(rogue: Rogue, socket: Socket, reader: Reader): Promise<void> {
  const first = await reader.peek(1)
  switch (first?.[0]) {
    case 5:
      return serveSocks5(rogue, socket, reader)
    case 6:
      if (rogue.has('waits-for-socks6')) return
      break
    case 4:
      return serveSocks4(rogue, socket, reader)
    case 0x43:
    case 0x47:
      return serveHttp(rogue, socket, reader)
    case undefined:
      break
    default:
      if (rogue.has('answers-nonsense')) return void socket.write(Uint8Array.of(5, 0))
      if (rogue.has('keeps-unknown-version')) return
  }
  if (!rogue.has('ignores-fin')) finish(socket)
}

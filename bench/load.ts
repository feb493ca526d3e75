/** Load for one measurement: opens tunnels to our own targets, directly or through a SOCKS5 proxy, and counts. */
import { once } from 'node:events'
import { type Server, type Socket, connect, createServer } from 'node:net'

/** How a connection reaches the target: straight, or by a SOCKS5 proxy without a password on this port of loopback. */
export type Way = { readonly kind: 'direct' } | { readonly kind: 'socks5'; readonly port: number }

export interface Targets {
  /** Sends without end. */
  readonly source: number
  readonly echo: number
  close(): void
}

const CHUNK = Buffer.alloc(256 * 1024, 0x61)
const PING = Buffer.alloc(64, 0x70)
/** Round trips are measured over this many tunnels. */
const TUNNELS = 16

export async function openTargets(): Promise<Targets> {
  const source = await serve(socket => {
    const send = (): void => {
      while (socket.write(CHUNK));
    }
    socket.on('drain', send)
    send()
  })
  const echo = await serve(socket => socket.on('data', octets => socket.write(octets)))
  return {
    source: portOf(source),
    echo: portOf(echo),
    close() {
      source.close()
      echo.close()
    },
  }
}

/** MiB a second of one stream down. */
export async function download(way: Way, targets: Targets, seconds: number): Promise<number> {
  const socket = await open(way, targets.source)
  let octets = 0
  socket.on('data', chunk => (octets += chunk.length))
  const elapsed = await pass(seconds)
  socket.destroy()
  return octets / 1_048_576 / elapsed
}

/** Tunnels opened and closed a second, sixteen at a time. */
export async function opens(way: Way, targets: Targets, seconds: number): Promise<number> {
  let count = 0
  const over = new AbortController()
  const worker = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const socket = await open(way, targets.echo)
      socket.resetAndDestroy()
      count++
    }
  }
  const workers = Array.from({ length: TUNNELS }, worker)
  const elapsed = await pass(seconds)
  const opened = count
  over.abort()
  await Promise.all(workers)
  return opened / elapsed
}

/** Round trips of 64 octets a second, over sixteen tunnels at once. */
export async function roundTrips(way: Way, targets: Targets, seconds: number): Promise<number> {
  let count = 0
  const sockets = await Promise.all(Array.from({ length: TUNNELS }, () => open(way, targets.echo)))
  for (const socket of sockets) {
    let waiting = PING.length
    socket.on('data', chunk => {
      waiting -= chunk.length
      if (waiting > 0) return
      count++
      waiting = PING.length
      socket.write(PING)
    })
    socket.write(PING)
  }
  const elapsed = await pass(seconds)
  const done = count
  for (const socket of sockets) socket.destroy()
  return done / elapsed
}

async function open(way: Way, target: number): Promise<Socket> {
  const socket = connect({ port: way.kind === 'direct' ? target : way.port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  if (way.kind === 'direct') {
    await once(socket, 'connect')
    return socket
  }
  socket.write(Uint8Array.of(5, 1, 0))
  await once(socket, 'data')
  socket.write(Uint8Array.of(5, 1, 0, 1, 127, 0, 0, 1, target >> 8, target & 0xff))
  const [reply] = (await once(socket, 'data')) as [Buffer]
  if (reply[1] !== 0) throw new Error(`the proxy answered REP ${reply[1]}`)
  return socket
}

async function serve(handle: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ noDelay: true }, socket => {
    socket.on('error', () => {})
    handle(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function portOf(server: Server): number {
  const address = server.address()
  return address !== null && typeof address === 'object' ? address.port : 0
}

/** Lets the time pass; the seconds that really did. */
async function pass(seconds: number): Promise<number> {
  const start = performance.now()
  await new Promise(resolve => setTimeout(resolve, seconds * 1_000))
  return (performance.now() - start) / 1_000
}

/**
 * The targets that the suite brings along: small TCP and UDP servers with one manner each, so that a case knows what
 * lies behind the proxy. They know nothing of SOCKS, and nothing of the cases.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type Server, type Socket, createServer } from 'node:net'
import {
  type Endpoint,
  type IpAddress,
  formatAddress,
  formatDestination,
  parseIp,
  sameAddress,
  unmapped,
} from '@socksmith/protocol'
import { closeAll, openEverywhere } from './same-port.ts'
import { type TranscriptTarget, longOctets } from './transcript.ts'
import { type UdpEcho, openUdpEcho } from './udp-echo.ts'

/** How a TCP target behaves to whoever connects. */
export type Manner =
  /** Sends back what comes; FIN for FIN. */
  | 'echo'
  /** Reads until FIN, then answers with the number of octets and FIN. */
  | 'answer-after-fin'
  /** Says `bye` and sends FIN at once, then reads on and notes what comes. */
  | 'fin-first'
  /** Says `hello` at once, then is an echo. */
  | 'speaks-first'
  /** Says who has connected, as `ADDRESS:PORT` and a line end, then FIN. */
  | 'who'
  /** Sends RST once an octet has come. */
  | 'reset'
  /** Accepts and says nothing; notes how its clients end. */
  | 'silent'
  /** Sends 64 MiB, or as much as is taken. */
  | 'flood'
  /** Nobody listens there. */
  | 'nobody'

const MANNERS: readonly Manner[] = [
  'echo',
  'answer-after-fin',
  'fin-first',
  'speaks-first',
  'who',
  'reset',
  'silent',
  'flood',
  'nobody',
]

export const HELLO: Uint8Array = Buffer.from('hello from the target\n')
export const BYE: Uint8Array = Buffer.from('bye\n')
/** The address of which every host knows the name. */
const LOCALHOST = '127.0.0.1'
/** Every address of 127.0.0.0/8 is this host's. */
const STRANGERS: readonly IpAddress[] = [parseIp('127.0.0.2') as IpAddress, parseIp('127.0.0.3') as IpAddress]
const FLOOD_OCTETS = 64 * 1024 * 1024
const FLOOD_CHUNK_OCTETS = 64 * 1024

/** What a target saw of one client. */
export interface Visit {
  /** As the target sees it: the server's own address towards the target. */
  readonly peer: Endpoint
  /** Octets that came. */
  readonly octets: () => number
  /** How it ended. */
  readonly ended: Promise<'fin' | 'reset'>
}

interface TcpTarget {
  readonly servers: readonly Server[]
  readonly port: number
  readonly visits: Visit[]
}

export class Targets {
  /** Where the server under test reaches them. */
  readonly address: IpAddress
  /** Where they are reached over IPv6: `address` itself, or its twin, which 127.0.0.1 has in `::1`. */
  readonly address6: IpAddress | undefined
  readonly #tcp: ReadonlyMap<Manner, TcpTarget>
  readonly #udp: UdpEcho
  readonly #sockets: ReadonlySet<Socket>

  constructor(
    address: IpAddress,
    address6: IpAddress | undefined,
    tcp: ReadonlyMap<Manner, TcpTarget>,
    udp: UdpEcho,
    sockets: ReadonlySet<Socket>,
  ) {
    this.address = address
    this.address6 = address6
    this.#tcp = tcp
    this.#udp = udp
    this.#sockets = sockets
  }

  /** What stands in the field for a name: `localhost` where that leads to them, otherwise their address as text. */
  get name(): string {
    const address = formatAddress(this.address)
    return address === LOCALHOST ? 'localhost' : address
  }

  tcp(manner: Manner): Endpoint {
    return { address: this.address, port: this.port(manner) }
  }

  /** The same port on every address of the targets. */
  port(manner: Manner): number {
    return this.#of(manner).port
  }

  udpEcho(): Endpoint {
    return { address: this.address, port: this.#udp.port }
  }

  /** A second UDP echo, at another port. */
  udpEcho2(): Endpoint {
    return { address: this.address, port: this.#udp.port2 }
  }

  /** The sender of the last datagram that a UDP echo got: the server's own socket towards its targets. */
  get lastUdpSender(): Endpoint | undefined {
    return this.#udp.lastSender()
  }

  /** Datagrams that the UDP echoes got, in all. */
  get udpCount(): number {
    return this.#udp.count()
  }

  /** Another address of the targets' host, for whoever is not expected; only loopback is known to have one. */
  get stranger(): IpAddress | undefined {
    if (!formatAddress(this.address).startsWith('127.')) return undefined
    return STRANGERS.find(one => !sameAddress(one, this.address))
  }

  /** Sends a datagram from an address that nobody has written to. Whether it went: not every system has that address. */
  async sendFrom(stranger: IpAddress, octets: Uint8Array, to: Endpoint): Promise<boolean> {
    const socket = createSocket(to.address.type === 'ipv4' ? 'udp4' : 'udp6')
    try {
      socket.bind(0, formatAddress(stranger))
      await once(socket, 'listening')
      return await new Promise(resolve => {
        socket.send(octets, to.port, formatAddress(to.address), error => resolve(error === null))
      })
    } catch {
      return false
    } finally {
      socket.close()
    }
  }

  /** Sends a datagram from the UDP echo itself, unasked. */
  sendFromUdpEcho(octets: Uint8Array, to: Endpoint): void {
    this.#udp.send(octets, to)
  }

  /** Clients of a target, in the order they came. */
  visits(manner: Manner): readonly Visit[] {
    return this.#of(manner).visits
  }

  describe(): readonly TranscriptTarget[] {
    const address = formatAddress(this.address)
    const tcp = [...this.#tcp].map(([kind, { port }]) => ({ kind, address, port }))
    return [
      ...tcp,
      { kind: 'udp-echo', address, port: this.#udp.port },
      { kind: 'udp-echo', address, port: this.#udp.port2 },
    ]
  }

  async close(): Promise<void> {
    await this.#udp.close()
    for (const socket of this.#sockets) socket.destroy()
    const servers = [...this.#tcp.values()].flatMap(target => target.servers)
    await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  }

  #of(manner: Manner): TcpTarget {
    const target = this.#tcp.get(manner)
    if (target === undefined) throw new Error(`no target ${manner}`)
    return target
  }
}

/** Opens them all. `ports`: the ports of an earlier time, for a replay. Rejects with the system's error when it cannot. */
export async function openTargets(address: IpAddress, ports: readonly TranscriptTarget[] = []): Promise<Targets> {
  const sockets = new Set<Socket>()
  const twin = formatAddress(address) === LOCALHOST && (await hasIpv6()) ? parseIp('::1') : undefined
  const addresses = twin === undefined ? [address] : [address, twin]
  const tcp = new Map<Manner, TcpTarget>()
  try {
    for (const manner of MANNERS) {
      const port = ports.find(({ kind }) => kind === manner)?.port
      tcp.set(manner, await openTcp(manner, addresses, port, sockets))
    }
    const udpPorts = ports.filter(({ kind }) => kind === 'udp-echo').map(({ port }) => port)
    return new Targets(
      address,
      address.type === 'ipv6' ? address : twin,
      tcp,
      await openUdpEcho(addresses, udpPorts),
      sockets,
    )
  } catch (error) {
    await closeAll([...tcp.values()].flatMap(({ servers }) => servers))
    throw error
  }
}

async function hasIpv6(): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(0, '::1')
    await once(server, 'listening')
    await new Promise(resolve => server.close(resolve))
    return true
  } catch {
    return false
  }
}

async function openTcp(
  manner: Manner,
  addresses: readonly IpAddress[],
  wanted: number | undefined,
  sockets: Set<Socket>,
): Promise<TcpTarget> {
  const visits: Visit[] = []
  const serve = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    visits.push(visitOf(socket))
    behave(manner, socket)
  }
  const { opened: servers, port } = await openEverywhere(addresses, wanted, async (address, port) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, serve)
    server.listen(port, formatAddress(address))
    await once(server, 'listening')
    return server
  })
  if (manner === 'nobody') await closeAll(servers)
  return { servers, port, visits }
}

function visitOf(socket: Socket): Visit {
  let octets = 0
  const { promise, resolve } = Promise.withResolvers<'fin' | 'reset'>()
  socket.on('data', (chunk: Buffer) => {
    octets += chunk.length
  })
  socket.on('end', () => resolve('fin'))
  socket.on('error', () => resolve('reset'))
  socket.on('close', () => resolve('fin'))
  return { peer: remoteOf(socket), octets: () => octets, ended: promise }
}

function remoteOf(socket: Socket): Endpoint {
  const address = parseIp((socket.remoteAddress ?? '0.0.0.0').replace(/%.*/, '')) as IpAddress
  return { address: unmapped(address), port: socket.remotePort ?? 0 }
}

function behave(manner: Manner, socket: Socket): void {
  switch (manner) {
    case 'speaks-first':
      socket.write(HELLO)
      socket.pipe(socket)
      break
    case 'echo':
      socket.pipe(socket)
      break
    case 'answer-after-fin': {
      let count = 0
      socket.on('data', (chunk: Buffer) => {
        count += chunk.length
      })
      socket.on('end', () => socket.end(`${count} octets\n`))
      break
    }
    case 'fin-first':
      socket.end(BYE)
      break
    case 'who':
      socket.end(`${formatDestination(remoteOf(socket))}\n`)
      break
    case 'reset':
      socket.once('data', () => socket.resetAndDestroy())
      break
    case 'flood':
      flood(socket)
      break
    case 'silent':
    case 'nobody':
      socket.on('end', () => socket.end())
  }
}

function flood(socket: Socket): void {
  const octets = longOctets(FLOOD_CHUNK_OCTETS)
  let left = FLOOD_OCTETS
  const more = (): void => {
    while (left > 0 && socket.writable) {
      left -= octets.length
      if (!socket.write(octets)) return
    }
    socket.end()
  }
  socket.on('drain', more)
  more()
}

/**
 * What the tunnels lead to, on any engine: a source that sends without end, a sink that reads all, and an echo for
 * streams and one for datagrams. Knows neither proxies nor threads.
 */
import type { Connection, ConnectionReader, DatagramSocket, Engine, Listener } from '@socksmith/engine'
import type { Failure, IpAddress } from '@socksmith/protocol'
import { CHUNK, PatternReader } from './pattern.ts'

/** Ports of the target, all on one address. */
export interface TargetPorts {
  readonly source: number
  readonly sink: number
  readonly echo: number
  readonly datagrams: number
}

/** What the target tells of its work, as it goes. */
export interface TargetCounts {
  /** Octets that the sink got in total. */
  onSunk(total: number): void
  /** Octets that the kernel took from the source in total. */
  onPoured(total: number): void
  /** A stream to the sink was not what was sent. */
  onDamage(): void
}

/** As many as the kernel lets wait by default (net.core.somaxconn). */
const BACKLOG = 4_096
/** Chunks for one stream in one go, until the others have their turn. */
const CHUNKS_A_TURN = 16

/** A running target. */
export interface TargetServices {
  readonly ports: TargetPorts
  /** Ends all streams and gives everything back. */
  close(): Promise<void>
}

/** Opens everything on free ports of `address`. */
export async function openTarget(
  engine: Engine,
  address: IpAddress,
  counts: TargetCounts,
): Promise<TargetServices | Failure> {
  const streams = new Set<Silent>()
  const services = [sourceOf(streams, counts), sinkOf(streams, counts), echoOf(streams)]
  const listeners: Listener[] = []
  for (const onConnection of services) {
    const place = { kind: 'ip', endpoint: { address, port: 0 } } as const
    // A lack of descriptors shows at the other end, as tunnels that stay silent.
    const listener = await engine.listen({ place, backlog: BACKLOG }, { onConnection, onAcceptFailure() {} })
    if ('code' in listener) return listener
    listeners.push(listener)
  }
  const datagrams = await openEcho(engine, address)
  if ('code' in datagrams) return datagrams
  const [source = 0, sink = 0, echo = 0] = listeners.map(portOf)
  return {
    ports: { source, sink, echo, datagrams: datagrams.local.port },
    async close() {
      await Promise.all(listeners.map(listener => listener.close()))
      datagrams.close()
      for (const { connection } of streams) connection.reset()
    },
  }
}

function portOf({ place }: Listener): number {
  return place.kind === 'ip' ? place.endpoint.port : 0
}

/** Reads nothing of use. FIN is answered by RST: a port in TIME-WAIT for each tunnel would soon be all there are. */
class Silent implements ConnectionReader {
  readonly connection: Connection
  readonly #streams: Set<Silent>

  constructor(connection: Connection, streams: Set<Silent>) {
    this.connection = connection
    this.#streams = streams
    streams.add(this)
    connection.read(this)
  }

  onOctets(_octets: Uint8Array): void {}

  onEnd(): void {
    this.connection.reset()
  }

  onClose(): void {
    this.#streams.delete(this)
  }
}

type Service = (connection: Connection) => void

function sourceOf(streams: Set<Silent>, counts: TargetCounts): Service {
  let total = 0
  return connection => {
    const stream = new Silent(connection, streams)
    const pour = (): void => {
      if (!streams.has(stream)) return
      for (let i = 0; i < CHUNKS_A_TURN && connection.unsentOctets === 0; i++) {
        connection.write(CHUNK)
        total += CHUNK.length
      }
      counts.onPoured(total)
      if (connection.unsentOctets > 0) connection.onceSent(pour)
      else setImmediate(pour)
    }
    pour()
  }
}

function sinkOf(streams: Set<Silent>, counts: TargetCounts): Service {
  let total = 0
  return connection => {
    const pattern = new PatternReader()
    new Silent(connection, streams).onOctets = octets => {
      if (!pattern.take(octets)) counts.onDamage()
      total += octets.length
      counts.onSunk(total)
    }
  }
}

function echoOf(streams: Set<Silent>): Service {
  let scratch = new Uint8Array(CHUNK.length)
  return connection => {
    new Silent(connection, streams).onOctets = octets => {
      // What was read is the engine's, and what is written becomes the engine's until the kernel has it.
      if (scratch.length < octets.length) scratch = new Uint8Array(CHUNK.length)
      scratch.set(octets)
      connection.write(scratch.subarray(0, octets.length))
      if (connection.unsentOctets > 0) scratch = new Uint8Array(CHUNK.length)
    }
  }
}

async function openEcho(engine: Engine, address: IpAddress): Promise<DatagramSocket | Failure> {
  const socket = await engine.openDatagrams(
    { address, port: 0 },
    {
      onDatagram(octets, from) {
        if ('send' in socket) socket.send(octets, from)
      },
      // A sender that is gone.
      onFailure() {},
    },
    { joined: false },
  )
  return socket
}

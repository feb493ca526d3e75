/** Datagrams to the echo and back, through UDP ASSOCIATE: how many a second, and how many are lost. */
import type { Connection, DatagramSocket } from '@socksmith/engine'
import { type Endpoint, type Failure, encodeSocks5Datagram, failure, isUnspecified } from '@socksmith/protocol'
import { Association } from './association.ts'
import { Fault, type Load, type Stage, during } from './load.ts'
import type { Route, Tunnel } from './tunnel.ts'
import { LoadReader, openTunnels, resetAll } from './tunnels.ts'

/** Milliseconds of a tick: a datagram is lost after two or three of them, far beyond any way on this machine. */
const TICK_MS = 25

export const udp: Load = async stage => {
  const { datagrams } = stage.ways
  if (typeof datagrams === 'object' && 'code' in datagrams) return datagrams
  const fault = new Fault()
  const held: Held = { sockets: [], controls: [] }
  try {
    const associations = await openAll(stage, datagrams, held, fault)
    if ('code' in associations) return associations
    return await echoThrough(stage, associations, fault)
  } finally {
    for (const socket of held.sockets) socket.close()
    resetAll(held.controls)
  }
}

/** What is to be closed in the end. */
interface Held {
  readonly sockets: DatagramSocket[]
  readonly controls: Connection[]
}

async function echoThrough(stage: Stage, associations: readonly Association[], fault: Fault): ReturnType<Load> {
  const sum = (of: 'returned' | 'lost'): number => associations.reduce((total, one) => total + one[of], 0)
  const timer = setInterval(() => {
    for (const association of associations) association.tick()
  }, TICK_MS)
  let lostBefore = 0
  const done = await during(
    stage,
    () => sum('returned'),
    fault,
    () => (lostBefore = sum('lost')),
  )
  clearInterval(timer)
  if ('code' in done) return done
  if (done.amount === 0) return failure('timed_out', 'server', 'not one datagram came back')
  return { ...done, lost: sum('lost') - lostBefore }
}

async function openAll(
  stage: Stage,
  way: Route | 'direct',
  held: Held,
  fault: Fault,
): Promise<readonly Association[] | Failure> {
  const { address, ports } = stage.target
  const echo: Endpoint = { address, port: ports.datagrams }
  if (way === 'direct') return openSockets(stage, held, fault, () => ({ local: echo, to: echo, header: NO_HEADER }))
  const reader = new LoadReader(fault, () => {})
  const tunnels = await openTunnels(stage.engine, way, stage.settings.streams, () => reader)
  if ('code' in tunnels) return tunnels
  held.controls.push(...tunnels.map(({ connection }) => connection))
  const header = encodeSocks5Datagram({ frag: 0, destination: echo, data: new Uint8Array(0) })
  return openSockets(stage, held, fault, index => {
    const { connection, bound } = tunnels[index] as Tunnel
    const [local, remote] = [connection.local, connection.remote]
    if (local.kind !== 'ip' || remote.kind !== 'ip' || bound === undefined || bound.address.type === 'domain') {
      return failure('bad_address', 'server', 'the proxy does not say where its relay is')
    }
    // Zeros mean, by custom, the address of the proxy itself.
    const relay = isUnspecified(bound.address) ? remote.endpoint.address : bound.address
    return { local: local.endpoint, to: { address: relay, port: bound.port }, header }
  })
}

const NO_HEADER = new Uint8Array(0)

interface Ends {
  /** Whose address the socket takes. */
  readonly local: Endpoint
  readonly to: Endpoint
  readonly header: Uint8Array
}

async function openSockets(
  { engine, settings }: Stage,
  held: Held,
  fault: Fault,
  endsOf: (index: number) => Ends | Failure,
): Promise<readonly Association[] | Failure> {
  const associations: Association[] = []
  for (let number = 0; number < settings.streams; number++) {
    const ends = endsOf(number)
    if ('code' in ends) return ends
    const { local, to, header } = ends
    const association = new Association({
      number,
      to,
      header,
      octets: settings.datagramOctets,
      window: settings.window,
      onFault: cause => fault.set(cause),
    })
    const socket = await engine.openDatagrams(
      { address: local.address, port: 0 },
      {
        onDatagram(octets, from) {
          if (from.port === to.port) association.take(octets)
        },
        // An ICMP answer: the datagram counts as lost.
        onFailure() {},
      },
      // As most programs receive, which the load stands for.
      { joined: false },
    )
    if ('code' in socket) return socket
    held.sockets.push(socket)
    association.start(socket)
    associations.push(association)
  }
  return associations
}

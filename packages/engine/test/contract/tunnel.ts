/** A whole tunnel for the relay's contract: plain client, engine, plain target; over TCP, Unix sockets or TLS. */
import assert from 'node:assert/strict'
import { connect } from 'node:tls'
import { NO_OCTETS } from '@socksmith/protocol'
import type { Connection, Engine, Relay, RelayEnd, RelayOptions } from '../../src/ports.ts'
import { AUTHORITY, SERVER } from '../data/certificates.ts'
import { collect, LOOPBACK, must, Peer, plainClient, plainServer, until } from './scene.ts'
import { temporaryPath } from './temporary-path.ts'

/** What the two streams of a tunnel are. */
export type Carrier = 'tcp' | 'unix' | 'tls'

export interface Tunnel {
  readonly client: Peer
  readonly target: Peer
  readonly relay: Relay
  /** The relay's own connections. */
  readonly ours: readonly [client: Connection, target: Connection]
  /** Every call of `onEnd`. */
  readonly ends: RelayEnd[]
}

export interface TunnelOptions extends Partial<
  Pick<RelayOptions, 'toTarget' | 'toClient' | 'idleMs' | 'halfOpenIdleMs'>
> {
  /** What happens on the client's connection before the relay gets it. */
  beforeRelay?(client: Peer, inside: Connection): Promise<void>
}

/** Opens tunnels through one listener. */
export async function openTunnels(
  engine: Engine,
  count: number,
  options: TunnelOptions = {},
  carrier: Carrier = 'tcp',
): Promise<Tunnel[]> {
  const place = (): typeof LOOPBACK => (carrier === 'unix' ? { kind: 'unix', path: temporaryPath() } : LOOPBACK)
  const server = await plainServer(place())
  const { listener, accepted } = await collect(engine, place())
  const tunnels: Tunnel[] = []
  for (let i = 0; i < count; i++) {
    const plain = await plainClient(listener.place)
    await until(() => accepted.length === i + 1, 'accepted')
    let [client, inside]: [Peer, Connection] = [plain, accepted[i] as Connection]
    if (carrier === 'tls') [client, inside] = await secured(engine, plain, inside)
    const outside = must(await engine.dial(server.place, { timeoutMs: 10_000 }).result)
    await until(() => server.peers.length === i + 1, 'the target accepted')
    await options.beforeRelay?.(client, inside)
    const ends: RelayEnd[] = []
    const relay = engine.relay({
      client: inside,
      target: outside,
      toTarget: NO_OCTETS,
      toClient: NO_OCTETS,
      idleMs: 0,
      halfOpenIdleMs: 0,
      ...options,
      onEnd: end => void ends.push(end),
    })
    tunnels.push({ client, target: server.peers[i] as Peer, relay, ours: [inside, outside], ends })
  }
  server.close()
  await listener.close()
  return tunnels
}

/** Opens one tunnel. */
export async function openTunnel(
  engine: Engine,
  options: TunnelOptions = {},
  carrier: Carrier = 'tcp',
): Promise<Tunnel> {
  const [tunnel] = await openTunnels(engine, 1, options, carrier)
  assert.ok(tunnel)
  return tunnel
}

/** The end of a tunnel, once it is there; there is never a second one. */
export async function endOf(tunnel: Tunnel): Promise<RelayEnd> {
  await until(() => tunnel.ends.length > 0, 'the relay ended')
  await until(() => tunnel.client.hasClosed && tunnel.target.hasClosed, 'both peers are closed')
  assert.equal(tunnel.ends.length, 1)
  return tunnel.ends[0] as RelayEnd
}

async function secured(engine: Engine, plain: Peer, inside: Connection): Promise<[Peer, Connection]> {
  const options = { certificate: SERVER.certificate, key: SERVER.key, timeoutMs: 10_000 }
  const securing = engine.secure(inside, NO_OCTETS, options)
  // Node's TLS client takes half-open from the socket that it is given.
  const client = new Peer(connect({ socket: plain.socket, ca: AUTHORITY, servername: 'localhost' }))
  return [client, must(await securing)]
}

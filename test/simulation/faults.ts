/** Faults to plant, each of which the simulation has to find: the proof that its checks check something. */
import type { ServerOptions, SessionRecord } from '@socksmith/server'
import { parseNetwork } from '@socksmith/server'
import type { SimulatedConnection } from './world/connection.ts'
import type { SimulatedEngine } from './world/engine.ts'
import { concat } from '@socksmith/protocol'

export interface Fault {
  /** Changes a connection that the server is about to get. */
  connection?(connection: SimulatedConnection): void
  engine?(engine: SimulatedEngine): void
  options?(options: ServerOptions): ServerOptions
}

/** Changes the arrays that are written, once they are long enough to carry more than a handshake. */
function corrupting(change: (octets: Uint8Array) => Uint8Array): Fault {
  return {
    connection(connection) {
      const write = connection.write.bind(connection)
      connection.write = octets => write(octets.length < 200 ? octets : change(octets))
    },
  }
}

function recording(tell: (record: SessionRecord, onSession: (record: SessionRecord) => void) => void): Fault {
  return { options: options => ({ ...options, onSession: record => tell(record, options.onSession ?? (() => {})) }) }
}

export const FAULTS = {
  'an octet is lost': corrupting(octets => octets.subarray(0, -1)),
  'an octet is invented': corrupting(octets => concat([octets, octets.subarray(-1)])),
  'two pieces change places': corrupting(octets => concat([octets.subarray(100), octets.subarray(0, 100)])),
  'the first message is sent twice': {
    connection(connection) {
      const write = connection.write.bind(connection)
      let isFirst = true
      connection.write = octets => {
        write(octets)
        if (isFirst) write(octets.slice())
        isFirst = false
      }
    },
  },
  'FIN stands for RST': {
    connection(connection) {
      connection.reset = () => connection.destroy()
    },
  },
  'FIN is not passed on': {
    connection(connection) {
      connection.end = () => {}
    },
  },
  'connections are not closed': {
    connection(connection) {
      connection.destroy = () => connection.end()
    },
  },
  'a timer is forgotten': {
    engine({ clock }) {
      const after = clock.after.bind(clock)
      clock.after = (ms, callback) => ({ ...after(ms, callback), cancel() {} })
    },
  },
  'a listener stays open': {
    engine(engine) {
      const listen = engine.listen.bind(engine)
      engine.listen = async (options, handler) => {
        const listener = await listen(options, handler)
        return 'code' in listener ? listener : Object.assign(listener, { close: () => Promise.resolve() })
      }
    },
  },
  'datagram sockets stay open': {
    engine(engine) {
      const open = engine.openDatagrams.bind(engine)
      engine.openDatagrams = async (local, handler) => {
        const socket = await open(local, handler)
        return 'code' in socket ? socket : { local: socket.local, send: socket.send.bind(socket), close() {} }
      }
    },
  },
  'the relay counts one too many': {
    engine(engine) {
      const relay = engine.relay.bind(engine)
      engine.relay = options =>
        relay({ ...options, onEnd: end => options.onEnd({ ...end, clientToTarget: end.clientToTarget + 1 }) })
    },
  },
  'sessions are recorded twice': recording((record, onSession) => {
    onSession(record)
    onSession(record)
  }),
  'sessions are not recorded': recording(() => {}),
  'private addresses are open': {
    options: options => ({ ...options, access: { insideFrom: ['0.0.0.0/0', '::/0'].map(text => network(text)) } }),
  },
  'limits are not kept': {
    options: options => ({
      ...options,
      limits: { ...options.limits, connections: 1_000, connectionsPerClient: 1_000, pendingDials: 1_000 },
    }),
  },
  'nobody is asked for a password': {
    options: options => ({ ...options, listeners: options.listeners.map(one => ({ ...one, authentication: 'none' })) }),
  },
  'silent clients may stay': {
    options: options => ({ ...options, limits: { ...options.limits, handshakeMs: 60_000 } }),
  },
  'idle tunnels end too late': {
    options: options => ({ ...options, limits: { ...options.limits, idleMs: 60_000, halfOpenIdleMs: 60_000 } }),
  },
} as const satisfies Readonly<Record<string, Fault>>

function network(text: string): NonNullable<ReturnType<typeof parseNetwork>> {
  const parsed = parseNetwork(text)
  if (parsed === undefined) throw new Error(`not a network: ${text}`)
  return parsed
}

/** Faults to plant, each of which the simulation has to find: the proof that its checks check something. */
import type { ServerOptions, SessionRecord } from '@socksmith/server'
import { parseNetwork } from '@socksmith/server'
import type { SimulatedConnection } from './world/connection.ts'
import type { SimulatedEngine } from './world/engine.ts'
import { concat } from '@socksmith/protocol'

export interface Fault {
  /** What the simulation has to say about it. */
  readonly shows?: RegExp
  /** Changes a connection that the server is about to get. */
  connection?(connection: SimulatedConnection): void
  engine?(engine: SimulatedEngine): void
  options?(options: ServerOptions): ServerOptions
}

/** Changes the arrays that are written, once they are long enough to carry more than a handshake. */
function corrupting(change: (octets: Uint8Array) => Uint8Array): Fault {
  return {
    shows: /is not what was sent$/,
    connection(connection) {
      const write = connection.write.bind(connection)
      connection.write = octets => write(octets.length < 200 ? octets : change(octets))
    },
  }
}

function recording(
  shows: RegExp,
  tell: (record: SessionRecord, onSession: (record: SessionRecord) => void) => void,
): Fault {
  return {
    shows,
    options: options => ({ ...options, onSession: record => tell(record, options.onSession ?? (() => {})) }),
  }
}

export const FAULTS: Readonly<Record<string, Fault>> = {
  'an octet is lost': corrupting(octets => octets.subarray(0, -1)),
  'an octet is invented': corrupting(octets => concat([octets, octets.subarray(-1)])),
  'two pieces change places': corrupting(octets => concat([octets.subarray(100), octets.subarray(0, 100)])),
  'the first message is sent twice': {
    shows: /octets behind a refusal$/,
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
    shows: /heard FIN after/,
    connection(connection) {
      connection.reset = () => connection.destroy()
    },
  },
  'FIN is not passed on': {
    shows: /two FINs/,
    connection(connection) {
      connection.end = () => {}
    },
  },
  'connections are not closed': {
    shows: /connections are not given back/,
    connection(connection) {
      connection.destroy = () => connection.end()
    },
  },
  'a timer is forgotten': {
    shows: /timers, and no session/,
    engine({ clock }) {
      const after = clock.after.bind(clock)
      clock.after = (ms, callback) => ({ ...after(ms, callback), cancel() {} })
    },
  },
  'a listener stays open': {
    shows: /listeners beside the own are not given back/,
    engine(engine) {
      const listen = engine.listen.bind(engine)
      engine.listen = async (options, handler) => {
        const listener = await listen(options, handler)
        return 'code' in listener ? listener : Object.assign(listener, { close: () => Promise.resolve() })
      }
    },
  },
  'datagram sockets stay open': {
    shows: /datagram sockets are not given back/,
    engine(engine) {
      const open = engine.openDatagrams.bind(engine)
      engine.openDatagrams = async (local, handler) => {
        const socket = await open(local, handler)
        return 'code' in socket ? socket : { local: socket.local, send: socket.send.bind(socket), close() {} }
      }
    },
  },
  'the relay counts one too many': {
    shows: /written to the target/,
    engine(engine) {
      const relay = engine.relay.bind(engine)
      engine.relay = options =>
        relay({ ...options, onEnd: end => options.onEnd({ ...end, clientToTarget: end.clientToTarget + 1 }) })
    },
  },
  'sessions are recorded twice': recording(/2 records/, (record, onSession) => {
    onSession(record)
    onSession(record)
  }),
  'sessions are not recorded': recording(/no record/, () => {}),
  'private addresses are open': {
    shows: /closed to clients/,
    options: options => ({ ...options, access: { insideFrom: ['0.0.0.0/0', '::/0'].map(text => network(text)) } }),
  },
  'limits are not kept': {
    shows: /at once/,
    options: options => ({
      ...options,
      limits: { ...options.limits, connections: 1_000, connectionsPerClient: 1_000, pendingDials: 1_000 },
    }),
  },
  'descriptors are not counted': {
    shows: /descriptors at once/,
    engine(engine) {
      engine.descriptorsMax = Infinity
    },
  },
  'nobody is asked for a password': {
    shows: /without a password/,
    options: options => ({ ...options, listeners: options.listeners.map(one => ({ ...one, authentication: 'none' })) }),
  },
  'silent clients may stay': {
    shows: /ms without a request/,
    options: options => ({ ...options, limits: { ...options.limits, handshakeMs: 60_000 } }),
  },
  'idle tunnels end too late': {
    shows: /a quiet tunnel/,
    options: options => ({ ...options, limits: { ...options.limits, idleMs: 60_000, halfOpenIdleMs: 60_000 } }),
  },
}

function network(text: string): NonNullable<ReturnType<typeof parseNetwork>> {
  const parsed = parseNetwork(text)
  if (parsed === undefined) throw new Error(`not a network: ${text}`)
  return parsed
}

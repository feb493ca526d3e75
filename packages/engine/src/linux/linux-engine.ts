/**
 * The engine for Linux: system calls through FFI behind the ports. TLS, and a relay with a connection that is not of this
 * engine, it leaves to the portable one, to which it hands the descriptor over.
 */
import { IdleWheel } from '../idle-wheel.ts'
import { DESCRIPTORS_MAX } from '../node/descriptors.ts'
import { createNodeEngine } from '../node/node-engine.ts'
import { systemClock } from '../node/system-clock.ts'
import type { Clock, Connection, Engine, Relay, RelayOptions, SocketOptions } from '../ports.ts'
import { DatagramBatch } from './datagram-batch.ts'
import { type DescriptorLedger, recordedCalls } from './descriptor-ledger.ts'
import { EventLoop } from './event-loop.ts'
import { LinuxConnection } from './linux-connection.ts'
import { openDatagrams } from './linux-datagrams.ts'
import { dial } from './linux-dialer.ts'
import { listen } from './linux-listener.ts'
import { startLinuxRelay } from './linux-relay.ts'
import { PipePool } from './pipe-pool.ts'
import { loadSystemCalls, type SystemCalls } from './system-calls.ts'

/** What all engines of one thread share: they differ by their clocks only. */
interface Ground {
  readonly loop: EventLoop
  readonly pipes: PipePool
  batch: DatagramBatch | undefined
}

const SOCKET_OPTIONS: ReadonlySet<keyof SocketOptions> = new Set(['interface', 'mark', 'freeBind'])

let ground: Ground | undefined

/** Makes the engine, or says in one sentence why it cannot run here; tests hand in their own clock. */
export function createLinuxEngine(
  clock: Clock = systemClock,
): { readonly engine: Engine } | { readonly reason: string } {
  const loaded = loadSystemCalls()
  if (loaded.kind === 'missing') return { reason: loaded.reason }
  ground ??= openGround(loaded.calls)
  return { engine: engineOn(ground, clock) }
}

/**
 * From now on the descriptors that this thread opens are noted in `ledger` as those of `thread`, so that another one can
 * close them when this one dies. To be called before the first engine is made.
 */
export function recordDescriptors(ledger: DescriptorLedger, thread: number): void {
  const loaded = loadSystemCalls()
  if (loaded.kind === 'loaded') ground = openGround(recordedCalls(loaded.calls, ledger, thread))
}

/**
 * Makes this thread's engines deaf. To be called when the thread ends, however that comes: Node runs the loop once more to
 * close what is open, and an event that finds its way into that takes the whole process with it.
 */
export function silenceEngines(): void {
  ground?.loop.silence()
}

function openGround(calls: SystemCalls): Ground {
  const [loop, pipes] = [new EventLoop(calls), new PipePool(calls)]
  loop.onIdle(() => pipes.closeSpare())
  return { loop, pipes, batch: undefined }
}

function engineOn(shared: Ground, clock: Clock): Engine {
  const { loop, pipes } = shared
  const portable = createNodeEngine(clock)
  const wheel = new IdleWheel(clock)
  const relay = (options: RelayOptions): Relay => {
    const { client, target } = options
    if (client instanceof LinuxConnection && target instanceof LinuxConnection && client.isOurs && target.isOurs) {
      return startLinuxRelay({ loop, pipes, clock, wheel }, { ...options, client, target })
    }
    return portable.relay({ ...options, client: portableOf(client), target: portableOf(target) })
  }
  return {
    name: 'linux',
    clock,
    descriptorsMax: DESCRIPTORS_MAX,
    socketOptions: SOCKET_OPTIONS,
    listen: (options, handler) => listen(loop, clock, options, handler),
    dial: (to, options) => dial(loop, clock, to, options),
    openDatagrams: (local, handler, options) => {
      shared.batch ??= new DatagramBatch(loop.calls)
      return Promise.resolve(openDatagrams(loop, shared.batch, local, handler, options))
    },
    facing: destination => portable.facing(destination),
    secure: (connection, early, options) => portable.secure(portableOf(connection), early, options),
    secureAsClient: (connection, early, options) => portable.secureAsClient(portableOf(connection), early, options),
    relay,
  }
}

/** The same connection on the portable engine. */
function portableOf(connection: Connection): Connection {
  return connection instanceof LinuxConnection ? connection.handOver() : connection
}

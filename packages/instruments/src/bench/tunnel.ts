/** A stream to the target, direct or through the proxy. Knows the handshake by its script only. */
import type { CloseCause, Connection, ConnectionReader, Engine, Place } from '@socksmith/engine'
import { type Destination, type Failure, concat, failure } from '@socksmith/protocol'
import type { Step } from './handshake-script.ts'

/** Where to dial, and what to say there; nothing is said where there is no proxy. */
export interface Route {
  readonly place: Place
  readonly steps: readonly Step[]
}

/** A tunnel that is ready. */
export interface Tunnel {
  readonly connection: Connection
  /** BND of the last answer that told it. */
  readonly bound?: Destination
}

/** Milliseconds without an octet until a tunnel, an answer or a connection counts as lost: nothing here takes that long. */
export const SILENCE_MS = 10_000

/** Opens a tunnel; from then on `reader` hears what comes, first of all what came with the last answer. */
export async function openTunnel(engine: Engine, route: Route, reader: ConnectionReader): Promise<Tunnel | Failure> {
  const connection = await engine.dial(route.place, { timeoutMs: SILENCE_MS }).result
  if ('code' in connection) return named(connection)
  if (route.steps.length === 0) {
    connection.read(reader)
    return { connection }
  }
  return new Promise(resolve => new Opening(engine, connection, route.steps, reader, resolve).start())
}

// To be refused here is another thing than to be refused by the proxy.
function named(cause: Failure): Failure {
  return { ...cause, detail: cause.detail ?? `cannot connect: ${cause.errno ?? cause.code}` }
}

class Opening implements ConnectionReader {
  readonly #connection: Connection
  readonly #steps: readonly Step[]
  readonly #reader: ConnectionReader
  readonly #resolve: (result: Tunnel | Failure) => void
  readonly #timer: { cancel(): void }
  #step = 0
  #inbox: Uint8Array | undefined
  #bound: Destination | undefined

  constructor(
    engine: Engine,
    connection: Connection,
    steps: readonly Step[],
    reader: ConnectionReader,
    resolve: (result: Tunnel | Failure) => void,
  ) {
    this.#connection = connection
    this.#steps = steps
    this.#reader = reader
    this.#resolve = resolve
    this.#timer = engine.clock.after(SILENCE_MS, () => {
      this.#fail(failure('timed_out', 'server', `the proxy did not answer for ${SILENCE_MS / 1_000} s`))
    })
  }

  start(): void {
    this.#connection.read(this)
    this.#connection.write((this.#steps[0] as Step).send)
  }

  onOctets(octets: Uint8Array): void {
    const inbox = this.#inbox === undefined ? octets : concat([this.#inbox, octets])
    const decoded = (this.#steps[this.#step] as Step).read(inbox)
    if (decoded.kind === 'need-more') {
      this.#inbox = inbox.slice()
      return
    }
    if (decoded.kind === 'malformed') return this.#fail(decoded.failure)
    this.#inbox = undefined
    this.#bound = decoded.value.bound ?? this.#bound
    this.#step++
    const rest = inbox.subarray(decoded.consumed)
    const next = this.#steps[this.#step]
    if (next === undefined) return this.#succeed(rest)
    if (rest.length > 0)
      return this.#fail(failure('unexpected_message', 'server', 'the proxy says more than was asked'))
    this.#connection.write(next.send)
  }

  onEnd(): void {
    this.#fail(failure('truncated', 'server', 'the proxy hung up in the handshake'))
  }

  onClose(cause: CloseCause): void {
    this.#fail(failure('truncated', 'server', `the proxy ended the connection in the handshake (${cause})`))
  }

  #succeed(rest: Uint8Array): void {
    this.#timer.cancel()
    const connection = this.#connection
    connection.read(this.#reader)
    // Before the engine reads again: then these octets would be others.
    if (rest.length > 0) this.#reader.onOctets(rest)
    this.#resolve(this.#bound === undefined ? { connection } : { connection, bound: this.#bound })
  }

  #fail(cause: Failure): void {
    this.#timer.cancel()
    this.#resolve(cause)
    this.#connection.reset()
  }
}

/** Round trips: a message to the echo and back, one at a time in each tunnel. Every octet that comes back is compared. */
import { performance } from 'node:perf_hooks'
import type { Connection } from '@socksmith/engine'
import { type Failure, failure } from '@socksmith/protocol'
import { Latencies } from './latencies.ts'
import { Fault, type Load, during } from './load.ts'
import { LoadReader, openTunnels, resetAll } from './tunnels.ts'

const CHANGED: Failure = failure('bad_signature', 'server', 'a message came back changed')

export const roundTrip: Load = async stage => {
  const fault = new Fault()
  const tally: Tally = { trips: 0, latencies: new Latencies() }
  const trippers = Array.from(
    { length: stage.settings.streams },
    (_, index) => new Tripper(index, stage.settings.messageOctets, tally, fault),
  )
  const tunnels = await openTunnels(stage.engine, stage.ways.echo, trippers.length, index => {
    return new LoadReader(fault, octets => trippers[index]?.take(octets))
  })
  if ('code' in tunnels) return tunnels
  for (const [index, { connection }] of tunnels.entries()) trippers[index]?.start(connection)
  const done = await during(
    stage,
    () => tally.trips,
    fault,
    () => (tally.latencies = new Latencies()),
  )
  resetAll(tunnels.map(({ connection }) => connection))
  return 'code' in done ? done : { ...done, latencies: tally.latencies }
}

interface Tally {
  trips: number
  latencies: Latencies
}

class Tripper {
  // Written again and again: it is back before it changes, so nobody holds it any more.
  readonly #message: Uint8Array
  readonly #tally: Tally
  readonly #fault: Fault
  #connection: Connection | undefined
  #received = 0
  #sentMs = 0

  constructor(index: number, octets: number, tally: Tally, fault: Fault) {
    this.#message = Uint8Array.from({ length: octets }, (_, i) => index + i)
    this.#tally = tally
    this.#fault = fault
  }

  start(connection: Connection): void {
    this.#connection = connection
    this.#send()
  }

  take(octets: Uint8Array): void {
    const message = this.#message
    const at = this.#received
    if (at + octets.length > message.length) return this.#fault.set(CHANGED)
    for (let i = 0; i < octets.length; i++) if (octets[i] !== message[at + i]) return this.#fault.set(CHANGED)
    this.#received = at + octets.length
    if (this.#received < message.length) return
    this.#tally.trips++
    this.#tally.latencies.record(performance.now() - this.#sentMs)
    this.#send()
  }

  /** Each message differs from the last one, so that an old one is not taken for it. */
  #send(): void {
    const message = this.#message
    for (let i = 0; i < message.length; i += STRIDE) message[i] = (message[i] as number) + 1
    this.#received = 0
    this.#sentMs = performance.now()
    this.#connection?.write(message)
  }
}

/** Every so many octets one changes with each message. */
const STRIDE = 16

/**
 * Tunnels opened: each carries one octet to the echo and back, and is reset then. The client speaks first, as most do:
 * where the target does, Nagle's algorithm against delayed ACKs would be all that is measured of some proxies.
 */
import { performance } from 'node:perf_hooks'
import type { CloseCause, Connection, ConnectionReader } from '@socksmith/engine'
import { failure } from '@socksmith/protocol'
import { Latencies } from './latencies.ts'
import { Fault, type Load, type Stage, during } from './load.ts'
import { SILENCE_MS, openTunnel } from './tunnel.ts'

const ONE_OCTET = Uint8Array.of(0x21)

export const open: Load = async stage => {
  const fault = new Fault()
  const tally: Tally = { opened: 0, latencies: new Latencies(), isRunning: true }
  const openers = Array.from({ length: stage.settings.streams }, () => keepOpening(stage, tally, fault))
  const done = await during(
    stage,
    () => tally.opened,
    fault,
    () => (tally.latencies = new Latencies()),
  )
  tally.isRunning = false
  await Promise.all(openers)
  return 'code' in done ? done : { ...done, latencies: tally.latencies }
}

interface Tally {
  opened: number
  latencies: Latencies
  isRunning: boolean
}

async function keepOpening(stage: Stage, tally: Tally, fault: Fault): Promise<void> {
  while (tally.isRunning && fault.failure === undefined) {
    const startedMs = performance.now()
    const first = new FirstOctet()
    const tunnel = await openTunnel(stage.engine, stage.ways.echo, first)
    if ('code' in tunnel) return fault.set(tunnel)
    const came = await first.ask(tunnel.connection)
    if (!came) return fault.set(failure('aborted', 'server', 'a tunnel was closed, or silent, before its first octet'))
    tally.opened++
    tally.latencies.record(performance.now() - startedMs)
    tunnel.connection.reset()
  }
}

/** Sends one octet and waits for it. */
class FirstOctet implements ConnectionReader {
  #resolve: ((came: boolean) => void) | undefined
  #isGone = false

  ask(connection: Connection): Promise<boolean> {
    if (this.#isGone) return Promise.resolve(false)
    return new Promise(resolve => {
      const timer = setTimeout(() => resolve(false), SILENCE_MS)
      this.#resolve = came => {
        clearTimeout(timer)
        resolve(came)
      }
      connection.write(ONE_OCTET)
    })
  }

  onOctets(octets: Uint8Array): void {
    this.#resolve?.(octets.length === 1 && octets[0] === ONE_OCTET[0])
  }

  onEnd(): void {
    this.onClose('ended')
  }

  onClose(_cause: CloseCause): void {
    this.#isGone = true
    this.#resolve?.(false)
  }
}

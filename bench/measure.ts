/** The three measurements: what is done, for how long, and how much of it. Knows no proxy by name. */
import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import type { TargetPorts } from './target.ts'
import { type Way, openTunnel } from './tunnel.ts'

/** How much was done in how long. */
export interface Done {
  readonly amount: number
  readonly seconds: number
}

export type Measure = (way: Way, ports: TargetPorts, seconds: number) => Promise<Done>

/** Tunnels at the same time, where there are several. */
export const TUNNELS = 16
const ROUND_TRIP_OCTETS = 64

/** MiB that come through one tunnel. */
export const download: Measure = async (way, ports, seconds) => {
  let octets = 0
  const tunnel = await openTunnel(way, ports.source, count => (octets += count))
  const done = await during(seconds, () => octets)
  end(tunnel)
  return { ...done, amount: done.amount / 2 ** 20 }
}

/**
 * Tunnels that are opened and carry one octet to the echo and back; each is reset then. The client speaks first, as most
 * do: where the target does, Nagle's algorithm against delayed ACKs would be all that is measured of some proxies.
 */
export const opening: Measure = async (way, ports, seconds) => {
  let opened = 0
  const untilMs = performance.now() + seconds * 1_000
  const openers = Array.from({ length: TUNNELS }, async () => {
    while (performance.now() < untilMs) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const tunnel = await openTunnel(way, ports.echo, () => resolve())
      tunnel.on('close', () => reject(new Error('a tunnel was closed before its first octet')))
      tunnel.write('!')
      await promise
      tunnel.resetAndDestroy()
      opened++
    }
  })
  const [done] = await Promise.all([during(seconds, () => opened), ...openers])
  return done
}

/** Round trips of 64 octets, one at a time in each tunnel. */
export const roundTrips: Measure = async (way, ports, seconds) => {
  const message = Buffer.alloc(ROUND_TRIP_OCTETS)
  let trips = 0
  const tunnels = await Promise.all(
    Array.from({ length: TUNNELS }, async () => {
      let missing = ROUND_TRIP_OCTETS
      const tunnel = await openTunnel(way, ports.echo, count => {
        missing -= count
        if (missing > 0) return
        missing = ROUND_TRIP_OCTETS
        trips++
        tunnel.write(message)
      })
      return tunnel
    }),
  )
  for (const tunnel of tunnels) tunnel.write(message)
  const done = await during(seconds, () => trips)
  for (const tunnel of tunnels) end(tunnel)
  return done
}

// A figure over a tunnel that broke on the way would say too little.
function end(tunnel: Socket): void {
  if (tunnel.destroyed) throw new Error('a tunnel broke during the measurement')
  tunnel.resetAndDestroy()
}

/** What the count rose by in about so many seconds, and in how many really. */
async function during(seconds: number, count: () => number): Promise<Done> {
  const [startedMs, before] = [performance.now(), count()]
  await setTimeout(seconds * 1_000)
  return { amount: count() - before, seconds: (performance.now() - startedMs) / 1_000 }
}

/**
 * Tunnels that are held: idle ones, idle ones while others work, and ones whose reader has stalled; and the memory that
 * each takes of the proxy. Before anything is compared, as many tunnels are opened and closed until that leaves nothing
 * more behind: what a program keeps for later, and what its collector has not looked at yet, is not what a tunnel takes.
 * Of stalled tunnels a part is opened first and belongs to what the others are compared with, for the same reason.
 */
import { setTimeout } from 'node:timers/promises'
import type { Connection, ConnectionReader } from '@socksmith/engine'
import { type Failure, failure } from '@socksmith/protocol'
import type { Percentiles } from './latencies.ts'
import type { Stage } from './load.ts'
import { roundTrip } from './load-round-trips.ts'
import { pssOctets } from './process-tree.ts'
import { SILENCE_MS } from './tunnel.ts'
import { openTunnels, resetAll } from './tunnels.ts'

/** `idle`: the tunnels do nothing. `stall`: their source sends without end, and nobody reads. */
export const HOLD_MODES = ['idle', 'stall'] as const
export type HoldMode = (typeof HOLD_MODES)[number]

export interface HoldOptions {
  readonly mode: HoldMode
  /** Processes whose memory is told, with their children. */
  readonly pids: readonly number[]
  /** Milliseconds that the tunnels are held, once all are open and the memory is steady. */
  readonly holdMs: number
  /** Tunnels that carry round trips meanwhile. */
  readonly busy: number
  /** Is told what is done now, in a few words. */
  readonly onStep?: (text: string) => void
  /** Rounds of opening and closing before, at most; they end when one leaves no more memory behind. Default 8. */
  readonly warmUpsMax?: number
  /** Milliseconds between two looks at the memory, which must be alike some times. Default 200. */
  readonly lookEveryMs?: number
}

export interface HoldReport {
  readonly mode: HoldMode
  readonly tunnels: number
  /** Of the processes; absent without any, or where they may not be asked. */
  readonly memory?: HeldMemory
  /** Idle tunnels that carried a message and its echo after the hold. */
  readonly answered?: number
  readonly busy?: BusyReport
  /** Of stalled tunnels: what left the source of each, and whether it was at rest during the hold. */
  readonly source?: { readonly octetsPerTunnel: number; readonly isPaused: boolean }
}

/** Octets, all of them. */
export interface HeldMemory {
  /** When nothing had been opened yet. */
  readonly freshOctets: number
  /** After the rounds of opening and closing; of stalled tunnels with the first part of them. */
  readonly beforeOctets: number
  readonly warmUps: number
  readonly withOctets: number
  /** What each tunnel, or each of the later ones, took of a program that was warm. */
  readonly octetsPerTunnel: number
  /** The same with everything that the program began to keep on the way. */
  readonly octetsPerTunnelFromFresh: number
}

/** Round trips while others were held. */
export interface BusyReport {
  readonly streams: number
  readonly tripsPerSecond: number
  readonly latencies?: Percentiles
  /** Memory of the processes after them, with all tunnels. */
  readonly octets?: number
}

/** Descriptors of this process that are no tunnels. */
const DESCRIPTORS_BESIDE = 100

/**
 * The part of stalled tunnels that is opened first. Each has carried some megabytes until it stalls, and what a program
 * with a collector leaves lying of them has an upper bound for the process, which these reach; the others add what is held.
 */
const FIRST_PART = 1 / 4

/** Opens `settings.streams` tunnels and holds them. */
export async function hold(stage: Stage, options: HoldOptions): Promise<HoldReport | Failure> {
  const { mode, pids, lookEveryMs } = options
  const count = stage.settings.streams
  const needed = (count + options.busy) * 2 + DESCRIPTORS_BESIDE
  if (needed > stage.engine.descriptorsMax) {
    const detail = `so many tunnels take ${needed} descriptors; this process may have ${stage.engine.descriptorsMax} (ulimit -n)`
    return failure('too_busy', 'us', detail)
  }
  const before = await warmUp(stage, options)
  if (before !== undefined && 'code' in before) return before
  const poured = stage.target.pouredOctets()
  options.onStep?.('opening the tunnels')
  const first = await openHeld(stage, options, mode === 'stall' ? Math.floor(count * FIRST_PART) : 0)
  if ('code' in first) return first
  const compared = before && { ...before, ...(await withFirst(first, options)) }
  const held = await openHeld(stage, options, count - first.count)
  try {
    if ('code' in held) return held
    const pouredAtRest = stage.target.pouredOctets()
    const withOctets = await steadyMemory(pids, lookEveryMs)
    options.onStep?.('holding them')
    await setTimeout(options.holdMs)
    const busy = options.busy === 0 ? undefined : await busyBeside(stage, options.busy)
    if (busy !== undefined && 'code' in busy) return busy
    const busyOctets = busy === undefined ? undefined : pssOctets(pids)
    return {
      mode,
      tunnels: count,
      ...(compared === undefined || withOctets === undefined ? {} : memoryOf(compared, withOctets, count, held.count)),
      ...(busy === undefined ? {} : { busy: { ...busy, ...(busyOctets === undefined ? {} : { octets: busyOctets }) } }),
      ...(mode === 'idle' ? { answered: await held.askAll() } : {}),
      ...(mode === 'stall' ? { source: sourceOf(pouredAtRest - poured, stage, pouredAtRest, count) } : {}),
    }
  } finally {
    first.end()
    if (!('code' in held)) held.end()
  }
}

interface Before {
  readonly freshOctets: number
  readonly beforeOctets: number
  readonly warmUps: number
}

/** A round of opening and closing that leaves less than this share behind was the last one. */
const WARM = 0.01
const WARM_UPS_MAX = 8

/** The memory after as many rounds of opening and closing as it takes until one leaves nothing behind. */
async function warmUp(stage: Stage, options: HoldOptions): Promise<Before | Failure | undefined> {
  const { pids, lookEveryMs, warmUpsMax = WARM_UPS_MAX } = options
  const fresh = await steadyMemory(pids, lookEveryMs)
  if (fresh === undefined) return undefined
  let [last, warmUps] = [fresh, 0]
  for (let growth = Infinity; warmUps < warmUpsMax && growth > WARM; warmUps++) {
    options.onStep?.(`warming up, round ${warmUps + 1}`)
    const held = await openHeld(stage, { ...options, mode: 'idle' }, stage.settings.streams)
    if ('code' in held) return held
    held.end()
    const now = await steadyMemory(pids, lookEveryMs)
    if (now === undefined) return undefined
    growth = now / last - 1
    last = now
  }
  return { freshOctets: fresh, beforeOctets: last, warmUps }
}

/** The memory that the later tunnels are compared with: with the first ones, when there are any. */
async function withFirst(first: Held, { pids, lookEveryMs }: HoldOptions): Promise<Partial<Before>> {
  const beforeOctets = first.count === 0 ? undefined : await steadyMemory(pids, lookEveryMs)
  return beforeOctets === undefined ? {} : { beforeOctets }
}

function memoryOf(before: Before, withOctets: number, count: number, later: number): { readonly memory: HeldMemory } {
  const octetsPerTunnel = (withOctets - before.beforeOctets) / later
  const octetsPerTunnelFromFresh = (withOctets - before.freshOctets) / count
  return { memory: { ...before, withOctets, octetsPerTunnel, octetsPerTunnelFromFresh } }
}

function sourceOf(octets: number, { target }: Stage, atRest: number, count: number): NonNullable<HoldReport['source']> {
  return { octetsPerTunnel: octets / count, isPaused: target.pouredOctets() === atRest }
}

async function busyBeside(stage: Stage, streams: number): Promise<BusyReport | Failure> {
  const done = await roundTrip({ ...stage, settings: { ...stage.settings, streams } })
  if ('code' in done) return done
  const latencies = done.latencies?.percentiles()
  return { streams, tripsPerSecond: done.amount / done.seconds, ...(latencies === undefined ? {} : { latencies }) }
}

interface Held {
  readonly count: number
  /** Sends one octet through each and counts those that come back. */
  askAll(): Promise<number>
  end(): void
}

/** All of them open; those whose reader has stalled with their sources at rest. */
async function openHeld(stage: Stage, { mode, lookEveryMs }: HoldOptions, count: number): Promise<Held | Failure> {
  const readers = Array.from({ length: count }, () => new HeldReader())
  const route = mode === 'idle' ? stage.ways.echo : stage.ways.source
  const readerOf = (index: number) => readers[index] as HeldReader
  // A source is heard no more, at once: what streams would keep the proxy from opening the others. An echo waits to be asked.
  const tunnels = await openTunnels(stage.engine, route, count, readerOf, ({ connection }, index) =>
    readerOf(index).hold(connection),
  )
  if ('code' in tunnels) return tunnels
  if (mode === 'stall' && count > 0) await atRest(() => stage.target.pouredOctets(), lookEveryMs)
  return {
    count,
    async askAll() {
      const answers = await Promise.all(readers.map(reader => reader.ask()))
      return answers.filter(Boolean).length
    },
    end: () => resetAll(tunnels.map(({ connection }) => connection)),
  }
}

const ASKED = 0x3f

class HeldReader implements ConnectionReader {
  #connection: Connection | undefined
  #isGone = false
  #resolve: ((came: boolean) => void) | undefined

  hold(connection: Connection): void {
    this.#connection = connection
    connection.pause()
  }

  ask(): Promise<boolean> {
    if (this.#isGone) return Promise.resolve(false)
    return new Promise(resolve => {
      const late = globalThis.setTimeout(() => resolve(false), SILENCE_MS)
      this.#resolve = came => {
        clearTimeout(late)
        resolve(came)
      }
      this.#connection?.resume()
      this.#connection?.write(Uint8Array.of(ASKED))
    })
  }

  onOctets(octets: Uint8Array): void {
    this.#resolve?.(octets.length === 1 && octets[0] === ASKED)
  }

  onEnd(): void {
    this.onClose()
  }

  onClose(): void {
    this.#isGone = true
    this.#resolve?.(false)
  }
}

/** Looks at the memory so often, so far apart, until it differs by less than one in two hundred. */
const LOOK_EVERY_MS = 200
const LOOKS_ALIKE = 4
const LOOKS_MAX = 40
const ALIKE = 0.005

/** Octets of the processes, once they hardly change any more; `undefined` without any, or where they may not be asked. */
export async function steadyMemory(
  pids: readonly number[],
  lookEveryMs: number = LOOK_EVERY_MS,
): Promise<number | undefined> {
  if (pids.length === 0) return undefined
  let [last, alike] = [0, 0]
  for (let looks = 0; looks < LOOKS_MAX && alike < LOOKS_ALIKE; looks++) {
    await setTimeout(lookEveryMs)
    const now = pssOctets(pids)
    if (now === undefined) return undefined
    alike = Math.abs(now - last) <= now * ALIKE ? alike + 1 : 0
    last = now
  }
  return last
}

async function atRest(count: () => number, lookEveryMs: number = LOOK_EVERY_MS): Promise<void> {
  let [last, alike] = [-1, 0]
  for (let looks = 0; looks < LOOKS_MAX && alike < LOOKS_ALIKE; looks++) {
    await setTimeout(lookEveryMs)
    const now = count()
    alike = now === last ? alike + 1 : 0
    last = now
  }
}

/**
 * One soak of one engine: honest clients all the time, faults in the order that the seed decides, and at the end what is
 * left and how the server stops. Answers what was measured.
 */
import { openTunnel, restOf, take } from './client.ts'
import type { Criterion } from './criteria.ts'
import { FAULTS } from './faults/all.ts'
import { churn } from './faults/crowds.ts'
import { Rests, rest } from './rest.ts'
import { setStage, strikeStage, type StageOptions } from './scenery.ts'
import type { Held } from './served.ts'
import { SessionLog } from './session-log.ts'
import { LATE_MS_MAX, type Fault, type Stage, times, wait } from './stage.ts'

export interface SoakOptions extends StageOptions {
  /** How long faults are played. */
  readonly playMs: number
  /** Only these, each once, in full size. */
  readonly only?: readonly Fault[]
  /** Progress, a line at a time. */
  readonly say: (line: string) => void
}

export interface SoakReport {
  readonly engine: string
  readonly workers: number
  readonly seed: number
  readonly seconds: number
  readonly criteria: readonly Criterion[]
  /** How many different ones there were. Without any, nothing is shown. */
  readonly played: number
  /** Faults that could not be had here, and why; or for which there was no time. */
  readonly missing: readonly string[]
  /** The first that failed: what happened to honest clients, or what was played. */
  readonly failures: readonly string[]
  /** Where the server's log is, when a criterion failed. */
  readonly log?: string
}

/** Faults at the same time, of those that may come together. */
const AT_ONCE = 4
/** A fault that lasts longer hangs; in full size one may hold tunnels for minutes. */
const FAULT_MS_MAX = 180_000
const FULL_FAULT_MS_MAX = 900_000
const SAMPLE_EVERY_MS = 1_000
/** Garbage is collected before heaps are looked at, which costs the server time: so not often. */
const LOOK_EVERY_SAMPLES = 10
/** What a runtime may keep after a storm, in the heap of each thread: tables that have grown, compiled code. */
const HEAP_GROWTH_OCTETS_MAX = 8 * 1_048_576
const DESCRIPTOR_GROWTH_MAX = 5
const LOOKS_AT_REST = 10
/** Honest clients must not stand still longer than this, whatever goes on. */
const GAP_MS_MAX = LATE_MS_MAX
const DRAIN_TUNNELS = 50
const FAILURES_SHOWN = 10

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const startedAt = performance.now()
  const stage = await setStage(options)
  const missing: string[] = []
  let played = 0
  try {
    const before = await warmUp(stage)
    stage.honest.start()
    const [sampler, rests, log] = [new Sampler(stage), new Rests(), new SessionLog(stage.files.log, stage.login)]
    played = await play(stage, options, missing, () => pause(stage, options, rests, log))
    await sampler.stop()
    await atRest(stage, before)
    rests.tell(stage.criteria)
    judgeHonest(stage)
    await drain(stage)
    log.read()
    log.tell(stage.criteria, stage.served.text, stage.workers)
  } catch (error) {
    // Only the death of the server ends a soak early.
    stage.criteria.note('R-29', `the soak came to its end: ${String(error)}`, 0, { atLeast: 1 })
  }
  const failures = stage.honest.failures.slice(0, FAILURES_SHOWN)
  const log = await strikeStage(stage)
  const { engine, workers, seed } = options
  const seconds = Math.round((performance.now() - startedAt) / 1_000)
  return {
    engine,
    workers,
    seed,
    seconds,
    criteria: stage.criteria.all,
    played,
    missing,
    failures,
    ...(log && { log }),
  }
}

/** What a program makes once and keeps is there before it is measured. */
async function warmUp(stage: Stage): Promise<Held> {
  stage.honest.start()
  await churn.run({ ...stage, size: 'short' })
  await rest(stage)
  return stage.served.look()
}

/** After each fault was played, and before they are played again. */
async function pause(stage: Stage, { say }: SoakOptions, rests: Rests, log: SessionLog): Promise<void> {
  const { criteria, honest, files } = stage
  await rest(stage)
  say(await rests.look(stage))
  log.read()
  const kept = `${files.folder}.${rests.count}.log`
  if (log.next(criteria.failed + honest.failures.length, kept))
    say(`something failed; the log of that time is kept: ${kept}\n${failuresText(stage)}`)
  honest.start()
}

/** All so far. */
function failuresText({ criteria, honest }: Stage): string {
  const broken = criteria.all.filter(({ ok }) => !ok).map(({ row, what, worst }) => `${row} ${what}: ${worst}`)
  return [...broken, ...honest.failures.slice(-FAILURES_SHOWN)].join('\n')
}

/** How many different faults there was time for; each is played before one of them comes again. */
async function play(
  stage: Stage,
  { playMs, only, say }: SoakOptions,
  missing: string[],
  pauses: () => Promise<void>,
): Promise<number> {
  const startedAt = performance.now()
  const possible = (only ?? FAULTS).filter(fault => {
    const why = fault.cannot?.(stage)
    if (why !== undefined) missing.push(`${fault.name}: ${why}`)
    return why === undefined
  })
  const played = new Set<Fault>()
  const isOver = (): boolean => only === undefined && performance.now() - startedAt > playMs
  const hasAnother = (): boolean => only === undefined && !isOver() && stage.served.isAlive
  const one = async (fault: Fault): Promise<void> => {
    if (isOver() || !stage.served.isAlive) return
    const atS = Math.round((performance.now() - startedAt) / 1_000)
    const tookMs = await playOne(stage, fault)
    played.add(fault)
    say(`${String(atS).padStart(4)} s  ${fault.rows.join(' ')}  ${fault.name} (${(tookMs / 1_000).toFixed(1)} s)`)
  }
  for (let turn = 0; turn === 0 || hasAnother(); turn++) {
    if (turn > 0) await pauses()
    const deck = shuffled(possible, stage)
    const together = deck.filter(fault => !isAlone(fault, stage))
    for (const fault of deck) if (isAlone(fault, stage)) await one(fault)
    await times(together.length, only === undefined ? AT_ONCE : 1, index => one(together[index] as Fault))
  }
  for (const fault of possible) if (!played.has(fault)) missing.push(`${fault.name}: there was no time`)
  return played.size
}

function isAlone(fault: Fault, { size }: Stage): boolean {
  return fault.isAlone === 'unless-short' ? size !== 'short' : fault.isAlone === true
}

/** Milliseconds that it took. */
async function playOne(stage: Stage, fault: Fault): Promise<number> {
  const startedAt = performance.now()
  const limitMs = stage.size === 'full' ? FULL_FAULT_MS_MAX : FAULT_MS_MAX
  const { promise: hangs, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('it does not come to its end')), limitMs)
  try {
    await Promise.race([fault.run(stage), hangs])
  } catch (error) {
    stage.criteria.note(fault.rows[0] ?? '', `${fault.name}: ${String(error)}`, 1, { atMost: 0 })
  }
  clearTimeout(timer)
  return performance.now() - startedAt
}

function shuffled(faults: readonly Fault[], { random }: Stage): Fault[] {
  return faults
    .map(fault => ({ fault, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ fault }) => fault)
}

/** Looks at the process all the time. */
class Sampler {
  readonly #stage: Stage
  readonly #done: Promise<void>
  #isStopping = false

  constructor(stage: Stage) {
    this.#stage = stage
    this.#done = this.#run()
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#done
  }

  async #run(): Promise<void> {
    const { served } = this.#stage
    for (let sample = 1; !this.#isStopping && served.isAlive; sample++) {
      await wait(SAMPLE_EVERY_MS)
      try {
        await this.#sample(sample % LOOK_EVERY_SAMPLES === 0)
      } catch (error) {
        // Of a process that has ended there is nothing to see; who asks it next says so.
        if (served.isAlive) throw error
      }
    }
  }

  async #sample(isLook: boolean): Promise<void> {
    const { served, criteria } = this.#stage
    criteria.note('R-29', 'descriptors at most', served.descriptors)
    criteria.note('R-29', 'memory of the process at most (PSS)', served.pssOctets / 1_048_576, { unit: 'MiB' })
    if (!isLook) return
    const { heapOctets, delayP99Ms, delayMaxMs } = await served.look()
    criteria.note('R-29', 'heap after garbage was collected, at most', heapOctets / 1_048_576, { unit: 'MiB' })
    criteria.note('R-29', "event loop's delay, p99 of ten seconds", delayP99Ms, { unit: 'ms' })
    criteria.note('R-29', "event loop's delay at most", delayMaxMs, { unit: 'ms' })
  }
}

/** Nobody is connected any more: what was taken must have been given back. */
async function atRest(stage: Stage, before: Held): Promise<void> {
  const { served, honest, criteria, workers } = stage
  await rest(stage)
  const heapMax = before.heapOctets + Math.max(HEAP_GROWTH_OCTETS_MAX * (workers + 1), before.heapOctets / 10)
  let after = await served.look()
  // What waits for a finalizer is given back by the next collection.
  for (let looks = 0; after.heapOctets > heapMax && looks < LOOKS_AT_REST; looks++) {
    await wait(SAMPLE_EVERY_MS)
    after = await served.look()
  }
  criteria.note('R-29', "event loop's delay, p99 of the whole run", after.delayEverP99Ms, { unit: 'ms' })
  if (after.descriptors > before.descriptors + DESCRIPTOR_GROWTH_MAX) {
    honest.failures.push(`descriptors at rest: ${JSON.stringify([...served.descriptorKinds])}`)
  }
  criteria.note('R-29', 'descriptors more than at the start', after.descriptors - before.descriptors, {
    atMost: DESCRIPTOR_GROWTH_MAX,
  })
  criteria.note('R-29', 'heap more than at the start', (after.heapOctets - before.heapOctets) / 1_048_576, {
    atMost: (heapMax - before.heapOctets) / 1_048_576,
    unit: 'MiB',
  })
  criteria.note(
    'R-29',
    'memory of the process more than at the start (PSS)',
    (after.pssOctets - before.pssOctets) / 1_048_576,
    {
      unit: 'MiB',
    },
  )
}

function judgeHonest({ honest, criteria }: Stage): void {
  criteria.note('R-29', 'exchanges of honest clients', honest.exchanges, { atLeast: 1 })
  criteria.note('R-29', 'octets that came back to them', honest.octets / 1_048_576, { unit: 'MiB' })
  criteria.note('R-29', 'of them lost, reordered or invented', honest.wrongOctets, { atMost: 0 })
  criteria.note('R-29', 'failures of honest clients', honest.failures.length, { atMost: 0 })
  criteria.note('R-29', 'their failures while descriptors or names were short, or a worker died', honest.forgiven)
  criteria.note('R-29', 'names that they asked for again', honest.namesAskedAgain)
  criteria.note('R-29', 'longest time in which none of them was served', honest.longestGapMs, {
    atMost: GAP_MS_MAX,
    unit: 'ms',
  })
  criteria.note('R-29', 'time of an honest tunnel, p99', honest.openP99Ms, { unit: 'ms' })
}

/** SIGTERM with busy tunnels: each may say all that it has, nobody new comes in, and the exit code is 0. */
async function drain(stage: Stage): Promise<void> {
  const { served, targets, criteria } = stage
  const echo = { port: targets.ports.echo }
  const sockets = await times(DRAIN_TUNNELS, DRAIN_TUNNELS, () => openTunnel(served.ports, 'socks5', echo))
  const startedAt = performance.now()
  const ended = served.end()
  await served.said(/stopping/)
  let lost = 0
  await Promise.all(
    sockets.map(async (socket, index) => {
      try {
        for (let i = 0; i < 10; i++) {
          socket.write(`still here ${index}`)
          await take(socket, `still here ${index}`.length)
          await wait(20)
        }
        socket.end()
        if ((await restOf(socket)) !== 0) lost++
      } catch {
        lost++
      }
      socket.destroy()
    }),
  )
  const late = await openTunnel(served.ports, 'socks5', echo).then(
    () => 1,
    () => 0,
  )
  criteria.note('R-16', 'tunnels that could not finish during the drain, of 50', lost, { atMost: 0 })
  criteria.note('R-16', 'newcomers let in during the drain', late, { atMost: 0 })
  criteria.note('R-16', 'exit code', (await ended) ?? Number.NaN, { atMost: 0 })
  criteria.note('R-16', 'time from the signal to the end', performance.now() - startedAt, {
    atMost: 2 * LATE_MS_MAX,
    unit: 'ms',
  })
}

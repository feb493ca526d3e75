/**
 * Which worker the newcomers go to. One that serves many at a time does with one turn of its loop what several would do with
 * one turn each, and a tunnel then costs a quarter less: so one has them all, until it has no time left and there is a core
 * for another. Opens no socket.
 */
import { readFileSync } from 'node:fs'

/** What one worker has to do. */
export interface WorkerLoad {
  /** It lives. */
  readonly isThere: boolean
  /** The part of the time since the last look that it did not wait for something to do, from 0 to 1. */
  readonly busy: number
  /** Its client connections. */
  readonly sessions: number
}

/** A worker by its place in the list; `undefined`: the kernel shares newcomers out among all. */
export type Steered = number | undefined

/** From here on a worker has no time left. */
const BUSY_MIN = 0.85
/** What is shared out costs two fifths more, for which there must be time, and some to win. */
const IDLE_CORES_MIN = 0.6
/** When all together are no busier, one of them can have it all again. */
const TOGETHER_MAX = 0.5
/** Sessions that one has more than another: what is quiet now may all be busy one day. */
const AHEAD_MAX = 64

/** Where newcomers go from now on. `idleCores` tells how many cores of the machine have nothing to do. */
export function chooseWorker(current: Steered, loads: readonly WorkerLoad[], idleCores: () => number): Steered {
  const fewest = withFewest(loads)
  if (fewest === undefined) return undefined
  if (current === undefined) {
    const together = loads.reduce((sum, { isThere, busy }) => sum + (isThere ? busy : 0), 0)
    return together <= TOGETHER_MAX ? fewest : undefined
  }
  const load = loads[current]
  if (load?.isThere !== true) return fewest
  if (load.busy >= BUSY_MIN && idleCores() >= IDLE_CORES_MIN) return undefined
  return load.sessions > (loads[fewest]?.sessions ?? 0) + AHEAD_MAX ? fewest : current
}

function withFewest(loads: readonly WorkerLoad[]): Steered {
  let fewest: Steered
  for (const [index, { isThere, sessions }] of loads.entries()) {
    if (isThere && (fewest === undefined || sessions < (loads[fewest]?.sessions ?? 0))) fewest = index
  }
  return fewest
}

/** Between two looks, in milliseconds: a burst of newcomers within it is served by one. */
const LOOK_EVERY_MS = 200
/** Ticks of a second in /proc/stat, on every Linux that Node runs on. */
const TICKS = 100

/** Looks at the workers now and then, and steers. */
export class Steering {
  readonly #look: () => readonly WorkerLoad[]
  readonly #steer: (to: Steered) => void
  readonly #idle = new IdleCores()
  #to: Steered = undefined
  #timer: NodeJS.Timeout | undefined

  constructor(look: () => readonly WorkerLoad[], steer: (to: Steered) => void) {
    this.#look = look
    this.#steer = steer
  }

  start(): void {
    this.update()
    this.#timer = setInterval(() => this.update(), LOOK_EVERY_MS).unref()
  }

  /** Looks now: a worker has come or gone. */
  update(): void {
    const to = chooseWorker(this.#to, this.#look(), () => this.#idle.sinceLastAsked())
    if (to === this.#to) return
    this.#to = to
    this.#steer(to)
  }

  /** The kernel shares out again. */
  stop(): void {
    clearInterval(this.#timer)
    this.#steer(undefined)
  }
}

/** How many cores had nothing to do. */
class IdleCores {
  #ticks = 0
  #atMs = -Infinity

  /** None, when it was not asked within the last two looks. */
  sinceLastAsked(): number {
    const [ticks, atMs] = [idleTicks(), performance.now()]
    const [beforeTicks, ms] = [this.#ticks, atMs - this.#atMs]
    this.#ticks = ticks
    this.#atMs = atMs
    return ms > LOOK_EVERY_MS * 2 || ms < LOOK_EVERY_MS / 2 ? 0 : (ticks - beforeTicks) / TICKS / (ms / 1_000)
  }
}

/** Of all cores since the machine was started (proc(5)): the fourth and fifth number of the first line. */
function idleTicks(): number {
  try {
    const [idle = 0, waiting = 0] =
      readFileSync('/proc/stat', 'latin1').split('\n', 1)[0]?.split(/ +/).slice(4, 6).map(Number) ?? []
    return idle + waiting
  } catch {
    return 0
  }
}

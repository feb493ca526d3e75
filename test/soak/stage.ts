/** What a fault finds: the server, the targets, the honest clients, and where its figures go. */
import { readFileSync } from 'node:fs'
import type { Random } from '../simulation/world/random.ts'
import type { Login } from './client.ts'
import type { Criteria } from './criteria.ts'
import type { Honest } from './honest.ts'
import type { Served } from './served.ts'
import type { Targets } from './targets.ts'

/** `short` for a run of a minute, `long` for ten, `full` when a row is asked for by name. */
export type Size = 'short' | 'long' | 'full'

/** The files of the server, whose names it was started with. */
export interface StageFiles {
  readonly folder: string
  readonly configuration: string
  readonly users: string
  readonly policy: string
  readonly log: string
  readonly control: string
  /** What libfaketime reads; absent where it is not installed. */
  readonly clock?: string
  /** Where the log is, when that is a small file system of its own. */
  readonly logMount?: string
}

export interface Stage {
  readonly served: Served
  readonly targets: Targets
  readonly honest: Honest
  readonly criteria: Criteria
  readonly random: Random
  readonly size: Size
  readonly files: StageFiles
  readonly login: Login
  readonly engine: 'linux' | 'node'
  readonly workers: number
  /** Arguments for another server of the same engine. */
  readonly engineArgs: readonly string[]
  /** True in a network of its own, where nothing leaves the machine and some addresses lead nowhere. */
  readonly ownNetwork: boolean
}

export interface Fault {
  /** Rows of the table in docs/reliability.md. */
  readonly rows: readonly string[]
  readonly name: string
  /** Nothing else may go wrong meanwhile; `unless-short`: nor when a short run has few of it. */
  readonly isAlone?: boolean | 'unless-short'
  /** Why it cannot be had here. */
  readonly cannot?: (stage: Stage) => string | undefined
  run(stage: Stage): Promise<void>
}

/**
 * How late anything may be that has a limit. Generous, for a soak runs on machines that do much else: it finds what stands
 * still, and benchmarks find what is slow. The figures tell the rest.
 */
export const LATE_MS_MAX = 20_000

/** The amount for the size of this run. */
export function amount({ size }: Stage, short: number, long: number, full: number): number {
  return { short, long, full }[size]
}

export function wait(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

/** Milliseconds until the condition held; NaN, which fails every criterion, when it did not within `msMax`. */
export async function until(condition: () => boolean | Promise<boolean>, msMax: number): Promise<number> {
  const startedAt = performance.now()
  for (;;) {
    if (await condition()) return performance.now() - startedAt
    if (performance.now() - startedAt > msMax) return Number.NaN
    await wait(20)
  }
}

/** Runs the work `count` times, so many at once; the answers in any order. */
export async function times<T>(count: number, atOnce: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const answers: T[] = []
  let next = 0
  const runner = async (): Promise<void> => {
    while (next < count) answers.push(await work(next++))
  }
  await Promise.all(Array.from({ length: Math.min(count, atOnce) }, runner))
  return answers
}

/** The value below which 99 of 100 are. */
export function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? Number.NaN
}

/** Lines of the log about the server itself, of this kind. */
export function notices({ files }: Pick<Stage, 'files'>, event: string): number {
  return [...placesOf(readFileSync(files.log), `"event":"${event}"`)].length
}

/** Where this text stands in a log, which may be longer than a string can be. */
export function* placesOf(log: Buffer, text: string): Iterable<number> {
  for (let at = log.indexOf(text); at >= 0; at = log.indexOf(text, at + text.length)) yield at
}

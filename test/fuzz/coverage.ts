/**
 * Whether something went a new way, by V8's own counts of blocks: which blocks of a function ran, and how often (once, a
 * few times, many times), is one mark. Knows no input and no target.
 */
import { Session } from 'node:inspector'

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

interface ScriptCoverage {
  readonly url: string
  readonly functions: readonly { readonly ranges: readonly Range[] }[]
}

/** How often a loop ran matters by its order of magnitude only; otherwise every length would be new. */
const MANY = 16

export class Coverage {
  readonly #session = new Session()
  readonly #isWatched: (url: string) => boolean
  readonly #ways = new Set<string>()
  readonly #waysTogether = new Set<string>()

  /** `isWatched`: whether the file of this URL belongs to what is fuzzed. */
  constructor(isWatched: (url: string) => boolean) {
    this.#isWatched = isWatched
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** Runs something and answers whether it went where nothing went before. Whoever calls runs nothing watched in between. */
  isNewWay(run: () => void): boolean {
    run()
    return this.#addTo(this.#ways, countMark)
  }

  /**
   * The same for many inputs together, roughly: how often a block ran does not count. To ask takes far longer than to run
   * one input.
   */
  isNewTogether(run: () => void): boolean {
    run()
    return this.#addTo(this.#waysTogether, blockMark)
  }

  close(): void {
    this.#session.post('Profiler.stopPreciseCoverage')
    this.#session.disconnect()
  }

  #addTo(ways: Set<string>, mark: (count: number) => string): boolean {
    const before = ways.size
    for (const { url, functions } of this.#take()) {
      if (!this.#isWatched(url)) continue
      for (const { ranges } of functions) {
        let way = url
        for (const { startOffset, count } of ranges) way += `:${startOffset}${mark(count)}`
        ways.add(way)
      }
    }
    return ways.size > before
  }

  #take(): readonly ScriptCoverage[] {
    let taken: readonly ScriptCoverage[] = []
    // The session is of this thread: the answer comes before the call returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error === null) taken = answer.result
    })
    return taken
  }
}

function blockMark(count: number): string {
  return count === 0 ? '-' : '+'
}

function countMark(count: number): string {
  return count < 2 ? blockMark(count) : count < MANY ? '*' : '#'
}

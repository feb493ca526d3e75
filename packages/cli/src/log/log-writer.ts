/**
 * Writes log lines in batches without ever making the server wait: while the sink is stuck or full, lines are kept up
 * to a bound and then dropped and counted. Knows no format.
 */
import type { LogSink } from './log-sink.ts'

// About 20,000 lines: minutes of an ordinary server, and no more memory than that.
const QUEUE_OCTETS_MAX = 4 * 1_048_576
// One system call for many lines; larger ones gain nothing.
const BATCH_OCTETS_MAX = 65_536
// A write wakes a thread of libuv, which costs as much as to serve a tunnel; so lines wait for others, but never so long
// that a person would notice.
const GATHER_MS = 20
const LINE_END = 0x0a
// How long the end of the process waits for a sink that does not take the rest.
const FLUSH_MS_MAX = 2_000

export class LogWriter {
  #sink: LogSink
  /** The last write to it. */
  #writing: Promise<unknown> = Promise.resolve()
  readonly #droppedLine: (count: number) => string
  #queue: Buffer[] = []
  #queuedOctets = 0
  #dropped = 0
  #pumping: Promise<void> | undefined
  #hurry: () => void = () => {}
  #isClosing = false

  /** `droppedLine` words the line that tells how many were lost. */
  constructor(sink: LogSink, droppedLine: (count: number) => string) {
    this.#sink = sink
    this.#droppedLine = droppedLine
  }

  /** Takes one line without its end. Never waits and never throws. */
  line(text: string): void {
    this.lines(`${text}\n`, 1)
  }

  /** Takes so many lines, each with its end. */
  lines(text: string, count: number): void {
    const octets = Buffer.from(text)
    if (this.#queuedOctets + octets.length > QUEUE_OCTETS_MAX) {
      this.#dropped += count
      return
    }
    this.#queue.push(octets)
    this.#queuedOctets += octets.length
    if (this.#queuedOctets >= BATCH_OCTETS_MAX) this.#hurry()
    this.#pumping ??= this.#pump()
  }

  /** From the next batch on this sink takes the lines; the one before is closed when its last write is over. */
  use(sink: LogSink): void {
    const before = this.#sink
    this.#sink = sink
    void this.#writing.then(() => before.close()).catch(() => undefined)
  }

  /** Writes what is left, unless the sink is stuck, and closes. */
  async close(): Promise<void> {
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, FLUSH_MS_MAX)
    this.#isClosing = true
    this.#hurry()
    await Promise.race([this.#pumping, late.promise])
    await Promise.race([this.#sink.close(), late.promise])
    clearTimeout(timer)
  }

  async #pump(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#gather()
      const octets = Buffer.concat(this.#takeBatch())
      const taken = await this.#write(octets)
      if (taken < octets.length) this.#dropped += linesIn(octets.subarray(taken))
      else if (this.#queue.length === 0) await this.#tellDropped()
    }
    this.#pumping = undefined
  }

  /** Waits for more lines, unless there are enough for a batch. */
  async #gather(): Promise<void> {
    if (this.#isClosing || this.#queuedOctets >= BATCH_OCTETS_MAX) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, GATHER_MS)
    this.#hurry = resolve
    await promise
    clearTimeout(timer)
  }

  #takeBatch(): readonly Buffer[] {
    let octets = 0
    let count = 0
    for (const chunk of this.#queue) {
      if (count > 0 && octets + chunk.length > BATCH_OCTETS_MAX) break
      octets += chunk.length
      count++
    }
    this.#queuedOctets -= octets
    return this.#queue.splice(0, count)
  }

  /** The sink takes lines again, so the gap is told at its end. */
  async #tellDropped(): Promise<void> {
    const told = this.#dropped
    if (told === 0) return
    const octets = Buffer.from(`${this.#droppedLine(told)}\n`)
    if ((await this.#write(octets)) === octets.length) this.#dropped -= told
  }

  #write(octets: Buffer): Promise<number> {
    const writing = this.#sink.write(octets)
    this.#writing = writing
    return writing
  }
}

function linesIn(octets: Uint8Array): number {
  let lines = 0
  for (const octet of octets) if (octet === LINE_END) lines++
  return lines
}

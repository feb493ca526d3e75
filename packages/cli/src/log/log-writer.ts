/**
 * Writes log lines in batches without ever making the server wait: while the sink is stuck or full, lines are kept up
 * to a bound and then dropped and counted. Knows no format.
 */
import { type Stats, close, constants, fstatSync, open, stat, write } from 'node:fs'
import { Socket } from 'node:net'
import { promisify } from 'node:util'

const writeAsync = promisify(write)
const openAsync = promisify(open)
const closeAsync = promisify(close)
const statAsync = promisify(stat)

// About 20,000 lines: minutes of an ordinary server, and no more memory than that.
const QUEUE_OCTETS_MAX = 4 * 1_048_576
// One system call for many lines; larger ones gain nothing.
const BATCH_OCTETS_MAX = 65_536
// A write wakes a thread of libuv, which costs as much as to serve a tunnel; so lines wait for others, but never so long
// that a person would notice.
const GATHER_MS = 20
// How long the end of the process waits for a sink that does not take the rest.
const FLUSH_MS_MAX = 2_000
// Who runs the server, and nobody else: targets and user names are private.
const FILE_MODE = 0o640

/** Where octets go. `write` answers when they are taken, or rejects. */
export interface LogSink {
  write(octets: Buffer): Promise<void>
  close(): Promise<void>
}

/** A sink on a file that has a name. */
export interface FileSink extends LogSink {
  /** False when the name leads to another file by now, or to none. Rejects where nobody may look. */
  isNamed(): Promise<boolean>
}

interface Chunk {
  readonly octets: Buffer
  readonly lines: number
}

export class LogWriter {
  #sink: LogSink
  /** The last write to it. */
  #writing: Promise<void> = Promise.resolve()
  readonly #droppedLine: (count: number) => string
  #queue: Chunk[] = []
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
    this.#queue.push({ octets, lines: count })
    this.#queuedOctets += octets.length
    if (this.#queuedOctets >= BATCH_OCTETS_MAX) this.#hurry()
    this.#pumping ??= this.#pump()
  }

  /** From the next batch on this sink takes the lines; the one before is closed when its last write is over. */
  use(sink: LogSink): void {
    const before = this.#sink
    this.#sink = sink
    const close = (): void => void before.close().catch(() => undefined)
    this.#writing.then(close, close)
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
      const batch = this.#takeBatch()
      try {
        this.#writing = this.#sink.write(Buffer.concat(batch.map(chunk => chunk.octets)))
        await this.#writing
      } catch {
        for (const chunk of batch) this.#dropped += chunk.lines
        continue
      }
      this.#tellDropped()
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

  #takeBatch(): readonly Chunk[] {
    let octets = 0
    let count = 0
    for (const chunk of this.#queue) {
      if (count > 0 && octets + chunk.octets.length > BATCH_OCTETS_MAX) break
      octets += chunk.octets.length
      count++
    }
    this.#queuedOctets -= octets
    return this.#queue.splice(0, count)
  }

  /** The sink takes lines again, so the gap is told at its end. */
  #tellDropped(): void {
    if (this.#dropped === 0) return
    const octets = Buffer.from(`${this.#droppedLine(this.#dropped)}\n`)
    this.#dropped = 0
    this.#queue.push({ octets, lines: 1 })
    this.#queuedOctets += octets.length
  }
}

/** A sink on a file (appended to, made when missing) or a named pipe. Rejects with the system's error. */
export async function openFileSink(path: string): Promise<FileSink> {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants
  // Without O_NONBLOCK, opening a named pipe that nobody reads would wait for ever.
  const descriptor = await openAsync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, FILE_MODE)
  const { dev, ino } = fstatSync(descriptor)
  return {
    ...descriptorSink(descriptor, true),
    async isNamed() {
      const now = await statAsync(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      })
      return now?.dev === dev && now.ino === ino
    },
  }
}

/** A sink on an open descriptor; `own` closes it at the end. */
export function descriptorSink(descriptor: number, own: boolean): LogSink {
  const stats: Stats = fstatSync(descriptor)
  return stats.isFIFO() || stats.isSocket() ? pipeSink(descriptor) : fileSink(descriptor, own)
}

function fileSink(descriptor: number, own: boolean): LogSink {
  return {
    async write(octets) {
      let rest = octets
      while (rest.length > 0) rest = rest.subarray((await writeAsync(descriptor, rest)).bytesWritten)
    },
    close: async () => (own ? closeAsync(descriptor) : undefined),
  }
}

/** A pipe whose reader has stopped must hold nobody up: as a socket it is written without blocking, and without a thread. */
function pipeSink(descriptor: number): LogSink {
  const socket = new Socket({ fd: descriptor, readable: false, writable: true })
  // The failure of a write rejects that write; without a listener the event would end the process.
  socket.on('error', () => undefined)
  socket.unref()
  return {
    write: octets =>
      new Promise((resolve, reject) => {
        socket.write(octets, error => (error ? reject(error) : resolve()))
      }),
    close: async () => {
      socket.destroy()
    },
  }
}

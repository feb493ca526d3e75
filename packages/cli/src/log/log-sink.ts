/** Where log lines go: a file, a named pipe, a descriptor. Knows no line but by its end. */
import { type Stats, close, constants, fstat, fstatSync, ftruncate, open, stat, write } from 'node:fs'
import { Socket } from 'node:net'
import { promisify } from 'node:util'

const writeAsync = promisify(write)
const openAsync = promisify(open)
const closeAsync = promisify(close)
const statAsync = promisify(stat)
const fstatAsync = promisify(fstat)
const ftruncateAsync = promisify(ftruncate)

// Who runs the server and the group of it: targets and user names are private.
const FILE_MODE = 0o640
const LINE_END = 0x0a

export interface LogSink {
  /** How many of the octets, which are lines, were taken: with less than all a write has failed, and no line is cut. Never rejects. */
  write(octets: Buffer): Promise<number>
  close(): Promise<void>
}

/** A sink on a file that has a name. */
export interface FileSink extends LogSink {
  /** False when the name leads to another file by now, or to none. Rejects where nobody may look. */
  isNamed(): Promise<boolean>
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
      let written = 0
      try {
        while (written < octets.length) written += (await writeAsync(descriptor, octets, written)).bytesWritten
        return written
      } catch {
        return wholeLines(descriptor, octets.subarray(0, written))
      }
    },
    close: async () => (own ? closeAsync(descriptor) : undefined),
  }
}

/** What a full disk has cut is taken back: who reads the log meets whole lines only. */
async function wholeLines(descriptor: number, written: Uint8Array): Promise<number> {
  const whole = written.lastIndexOf(LINE_END) + 1
  const torn = written.length - whole
  try {
    const { size } = await fstatAsync(descriptor)
    // Somebody may have emptied it meanwhile.
    if (torn > 0 && size >= torn) await ftruncateAsync(descriptor, size - torn)
  } catch {
    // A file that can only grow (chattr +a) keeps the piece.
  }
  return whole
}

/** A pipe whose reader has stopped must hold nobody up: as a socket it is written without blocking, and without a thread. */
function pipeSink(descriptor: number): LogSink {
  const socket = new Socket({ fd: descriptor, readable: false, writable: true })
  // The failure of a write is told by that write; without a listener the event would end the process.
  socket.on('error', () => undefined)
  socket.unref()
  return {
    write: octets =>
      new Promise(resolve => {
        socket.write(octets, error => resolve(error ? 0 : octets.length))
      }),
    close: async () => {
      socket.destroy()
    },
  }
}

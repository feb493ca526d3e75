/** What a person is told, straight to the descriptors: a stream would wait for a reader that is gone. */
import { writeSync } from 'node:fs'

/** Writes one message and a line end to standard error. What cannot be written is dropped: there is nobody to tell. */
export function say(message: string): void {
  writeAll(2, `${message}\n`, false)
}

/** Writes the result of a command to standard output, all of it unless its reader is gone. */
export function print(text: string): void {
  writeAll(1, text.endsWith('\n') ? text : `${text}\n`, true)
}

// How long to wait for a slow reader before the next try, where the descriptor itself does not wait.
const RETRY_MS = 10

function writeAll(descriptor: number, text: string, patient: boolean): void {
  let octets = Buffer.from(text)
  while (octets.length > 0) {
    try {
      octets = octets.subarray(writeSync(descriptor, octets))
    } catch (error) {
      if (!patient || (error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS)
    }
  }
}

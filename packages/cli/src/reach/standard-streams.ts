/**
 * Joins a connection with standard input and output, each direction by itself: the end of one is passed on and does not
 * end the other. Nothing but the stream is written to standard output.
 */
import { fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Duplex, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { isatty } from 'node:tty'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'

/**
 * Carries until both directions have ended. A terminal is let go when the other end has finished: a person has no reason
 * to say that they have too.
 */
export async function joinStandardStreams(connection: Duplex): Promise<Outcome<void>> {
  const { stdin } = process
  const output = openStandardOutput()
  const { promise, resolve } = Promise.withResolvers<Outcome<void>>()
  let hasEnded = false
  stdin.on('error', error => resolve(trouble(EXIT.BROKEN, `standard input: ${fileErrorText(error)}`)))
  output.on('error', error => resolve(outputTrouble(error)))
  connection.on('end', () => {
    hasEnded = true
    if (isatty(0)) connection.end()
  })
  connection.on('error', error => {
    // Who has said everything and closed answers what still comes with RST: that is an end like others.
    resolve(hasEnded ? done(undefined) : trouble(EXIT.BROKEN, `the connection broke: ${error.message}`))
  })
  connection.on('close', () => resolve(hasEnded ? done(undefined) : trouble(EXIT.BROKEN, 'the connection broke')))
  stdin.pipe(connection)
  connection.pipe(output)
  const outcome = await promise
  stdin.destroy()
  connection.destroy()
  if (!outcome.ok || output === process.stdout) return outcome
  return await flushed(output)
}

/** Whether an error of standard output says that its reader is gone: that is told to nobody. */
export function outputTrouble(error: Error): Outcome<never> {
  const isGone = 'code' in error && error.code === 'EPIPE'
  return isGone ? trouble(EXIT.NO_READER, '') : trouble(EXIT.BROKEN, `standard output: ${fileErrorText(error)}`)
}

/** Ends the output, and waits until everything is out. */
export async function flushed(output: Writable): Promise<Outcome<void>> {
  if (output === process.stdout) return done(undefined)
  try {
    output.end()
    await finished(output)
    return done(undefined)
  } catch (error) {
    return outputTrouble(error as Error)
  }
}

/**
 * Standard output as a stream that can be ended while the process goes on: whoever reads the pipe then sees the end.
 * `process.stdout` itself never closes.
 */
export function openStandardOutput(): Writable {
  const kind = fstatSync(1)
  if (!kind.isFIFO() && !kind.isSocket()) return process.stdout
  const output = new Socket({ fd: 1, readable: false, writable: true })
  // Somebody must hear it, also when the one who writes has left.
  return output.on('error', () => {})
}

/** Writes the body of an answer to a file or to standard output, and tells how far it is. Knows no request. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'
import { flushed, openStandardOutput, outputTrouble } from '../reach/standard-streams.ts'
import { progressLine } from '../terminal/progress.ts'
import { say } from '../terminal/say.ts'
import { type Progress, progressText } from './progress-text.ts'
import type { Partial } from './range.ts'
import { requestTrouble } from './request.ts'

/** Where the octets go. */
export type Destination = { readonly kind: 'output' } | { readonly kind: 'file'; readonly path: string }

export interface DownloadOptions {
  readonly to: Destination
  /** Octets that are here; the others are appended. 0 begins anew. */
  readonly before: number
  /** Octets in the end, where it is known. */
  readonly total?: number
  /** Shows the bar, when there is somebody who sees it. */
  readonly show: (progress: Progress) => void
}

/** What is here of a file; `undefined` when there is none. */
export async function partialOf(path: string): Promise<Partial | undefined> {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() ? { octets: found.size, writtenMs: found.mtimeMs } : undefined
}

/** Writes all of it; the octets that arrived. */
export async function download(
  body: AsyncIterable<Uint8Array>,
  { to, before, total, show }: DownloadOptions,
): Promise<Outcome<number>> {
  const output =
    to.kind === 'output' ? openStandardOutput() : createWriteStream(to.path, { flags: before > 0 ? 'a' : 'w' })
  const startedMs = performance.now()
  let failure: Error | undefined
  const broken = once(output, 'error').then(([error]) => (failure = error as Error))
  let octets = before
  try {
    for await (const chunk of body) {
      if (failure !== undefined) break
      octets += chunk.length
      if (!output.write(chunk)) await Promise.race([once(output, 'drain'), broken])
      show({ octets, before, elapsedMs: performance.now() - startedMs, ...(total !== undefined && { total }) })
    }
  } catch (error) {
    if (failure === undefined) {
      await ended(output, to)
      return cutOff(error, to, octets)
    }
  }
  if (failure !== undefined) return writeTrouble(failure, to)
  const written = await ended(output, to)
  return written.ok ? done(octets - before) : written
}

async function ended(output: Writable, to: Destination): Promise<Outcome<void>> {
  if (to.kind === 'output') return flushed(output)
  try {
    output.end()
    await finished(output)
    return done(undefined)
  } catch (error) {
    return writeTrouble(error as Error, to)
  }
}

function writeTrouble(error: Error, to: Destination): Outcome<never> {
  if (to.kind === 'output') return outputTrouble(error)
  return trouble(EXIT.CANNOT_WRITE, `${to.path}: ${fileErrorText(error)}`)
}

function cutOff(error: unknown, to: Destination, octets: number): Outcome<never> {
  const why = requestTrouble(error)
  if (why.ok || to.kind === 'output') return why
  const { exitCode, message } = why.trouble
  return trouble(exitCode, `${message} (after ${octets} octets; --continue goes on from there)`)
}

/** Milliseconds between two pictures of the bar: an eye follows no more. */
const BAR_MS = 100

/** A bar on standard error, where somebody looks; its last picture is left standing. */
export function createBar(): { show(progress: Progress): void; finish(): void } {
  const line = progressLine()
  let shownMs = -BAR_MS
  let last: Progress | undefined
  return {
    show(progress) {
      last = progress
      if (progress.elapsedMs - shownMs < BAR_MS) return
      shownMs = progress.elapsedMs
      line.show(progressText(progress))
    },
    finish() {
      if (last === undefined) return
      line.clear()
      say(progressText(last))
    },
  }
}

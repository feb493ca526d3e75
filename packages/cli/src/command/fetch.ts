/** `socksmith fetch`: a URL to standard output or to a file, with a bar, and going on where it was cut off. */
import { isatty } from 'node:tty'
import { type DownloadOptions, createBar, download, partialOf } from '../fetch/download.ts'
import { type Partial, continuationOf, rangeHeader } from '../fetch/range.ts'
import { type Wanted, request, wantedOf } from '../fetch/request.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import { type Reach, type ReachFlags, alongRoute } from '../reach/along-route.ts'
import { say } from '../terminal/say.ts'
import { octetsText } from '../log/record-line.ts'
import { visible } from '../terminal/visible.ts'

export interface FetchFlags extends ReachFlags {
  readonly output?: string
  readonly continue?: boolean
  readonly header?: readonly string[]
  readonly progress?: boolean
}

/** Gets the URL. */
export async function fetchUrl(text: string, flags: FetchFlags): Promise<Outcome<void>> {
  const wanted = wantedOf(text, flags.header ?? [])
  if (!wanted.ok) return wanted
  const path = flags.output === '-' ? undefined : flags.output
  if (flags.continue === true && path === undefined) return trouble(EXIT.USAGE, '--continue needs --output FILE')
  return alongRoute(flags, async reach => {
    const startedMs = performance.now()
    const asked = await ask(wanted.value, reach, flags.continue === true && path !== undefined ? path : undefined)
    if (!asked.ok) return asked
    const { response, before, total } = asked.value
    reach.note(
      `first octet of the answer after ${(performance.now() - startedMs).toFixed(1)} ms: ${statusText(response)}`,
    )
    if (response.body === null) return done(undefined)
    const bar = isBarWanted(flags, path) ? createBar() : undefined
    const options: DownloadOptions = {
      to: path === undefined ? { kind: 'output' } : { kind: 'file', path },
      before,
      ...(total !== undefined && { total }),
      show: progress => bar?.show(progress),
    }
    const got = await download(response.body, options)
    bar?.finish()
    if (!got.ok) return got
    reach.note(`${octetsText(got.value)} in ${(performance.now() - startedMs).toFixed(1)} ms`)
    return done(undefined)
  })
}

/** An answer whose body is wanted; `before` octets are here. */
interface Answer {
  readonly response: Pick<Response, 'status' | 'statusText' | 'headers' | 'body'>
  readonly before: number
  readonly total?: number
}

async function ask(wanted: Wanted, reach: Reach, path: string | undefined): Promise<Outcome<Answer>> {
  const partial = path === undefined ? undefined : await partialOf(path)
  if (partial === undefined || partial.octets === 0) return askForAll(wanted, reach)
  const headers = new Headers(wanted.headers)
  headers.set('range', rangeHeader(partial))
  const answered = await request({ url: wanted.url, headers }, reach)
  if (!answered.ok) return answered
  return continued(answered.value, partial, wanted, reach)
}

async function continued(response: Response, partial: Partial, wanted: Wanted, reach: Reach): Promise<Outcome<Answer>> {
  const continuation = continuationOf(response, partial)
  switch (continuation?.kind) {
    case 'append':
      return done({ ...continuation, response, before: partial.octets })
    case 'whole':
      say('note: the server cannot go on in the middle; from the beginning')
      return accepted(response)
    case 'changed':
      await response.body?.cancel()
      say('note: what is there now has changed; from the beginning')
      return askForAll(wanted, reach)
    case 'complete': {
      await response.body?.cancel()
      say('nothing is missing')
      const { status, statusText: reason, headers } = response
      return done({ response: { status, statusText: reason, headers, body: null }, before: partial.octets })
    }
    case undefined:
      return accepted(response)
  }
}

async function askForAll(wanted: Wanted, reach: Reach): Promise<Outcome<Answer>> {
  const answered = await request(wanted, reach)
  return answered.ok ? accepted(answered.value) : answered
}

async function accepted(response: Response): Promise<Outcome<Answer>> {
  if (!response.ok) {
    await response.body?.cancel()
    return trouble(EXIT.HTTP_STATUS, `the server answered ${statusText(response)}`)
  }
  const length = response.headers.get('content-length')
  // Some compress although they were asked not to; the length is then that of something else.
  const isPlain = !response.headers.has('content-encoding')
  return done({ response, before: 0, ...(length !== null && isPlain && { total: Number(length) }) })
}

function statusText({ status, statusText: reason }: Pick<Response, 'status' | 'statusText'>): string {
  return visible(`${status} ${reason}`.trimEnd())
}

// Not where the body itself runs over the same screen.
function isBarWanted({ progress }: FetchFlags, path: string | undefined): boolean {
  return progress !== false && isatty(2) && (path !== undefined || !isatty(1))
}

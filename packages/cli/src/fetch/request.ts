/** One GET along a way, redirects followed; every failure as a trouble with its exit code. Writes nothing. */
import { SocksError, dispatcher } from '@socksmith/client'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import type { Reach } from '../reach/along-route.ts'
import { routeTrouble } from '../reach/route-trouble.ts'
import { visible } from '../terminal/visible.ts'

/** A URL to get, with the headers to send. */
export interface Wanted {
  readonly url: URL
  readonly headers: Headers
}

/** Reads the words of the command line. User name and password of the URL become a header. */
export function wantedOf(text: string, headerLines: readonly string[]): Outcome<Wanted> {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return trouble(EXIT.USAGE, 'expected a URL that begins with http:// or https://')
  }
  // What is decompressed on the way could neither be counted nor continued.
  const headers = new Headers({ 'accept-encoding': 'identity', 'user-agent': 'socksmith' })
  try {
    if (url.username !== '' || url.password !== '') {
      const login = Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`)
      headers.set('authorization', `Basic ${login.toString('base64')}`)
      url.username = ''
      url.password = ''
    }
    for (const line of headerLines) {
      const colon = line.indexOf(':')
      if (colon < 1) return trouble(EXIT.USAGE, '--header: expected "Name: value"')
      headers.append(line.slice(0, colon), line.slice(colon + 1).trim())
    }
  } catch {
    return trouble(EXIT.USAGE, 'the URL or a --header holds characters that cannot be sent')
  }
  return done({ url, headers })
}

/** Sends the request; the answer with its headers, the body not yet read. Its status may be an error. */
export async function request({ url, headers }: Wanted, { via, timeout }: Reach): Promise<Outcome<Response>> {
  try {
    return done(await fetch(url, { headers, dispatcher: dispatcher(via, { timeout }) }))
  } catch (error) {
    return requestTrouble(error)
  }
}

/** What a failed request, or a body that was cut off, means. Anything unknown is thrown on: a bug. */
export function requestTrouble(error: unknown): Outcome<never> {
  const cause = error instanceof Error ? error.cause : undefined
  if (error instanceof SocksError) return routeTrouble(error)
  if (cause instanceof SocksError) return routeTrouble(cause)
  if (!(error instanceof TypeError)) throw error
  const { code, message } = (cause ?? error) as NodeJS.ErrnoException
  const text = visible(message)
  // What the parser of HTTP finds begins so; without a code it is the rule of fetch that was broken, mostly by redirects.
  if (code === undefined || code.startsWith('HPE_')) return trouble(EXIT.PROTOCOL, `no valid answer: ${text}`)
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') return trouble(EXIT.TRY_LATER, text)
  return trouble(EXIT.BROKEN, `the connection broke: ${text}`)
}

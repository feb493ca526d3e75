/** What the client's commands share: their way from flags or the environment, its time limit, its trace, its failures. */
import { type Route, SocksError, routeFromEnvironment } from '@socksmith/client'
import { DURATION_EXPECTED, parseDuration } from '../config/quantities.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import { say } from '../terminal/say.ts'
import { routeTrouble } from './route-trouble.ts'
import { traceHops } from './trace.ts'
import { routeOfVia } from './via.ts'

/** As the command line has them. */
export interface ReachFlags {
  readonly via?: readonly string[]
  readonly timeout?: string
  readonly trace?: boolean
}

/** How a command goes out. */
export interface Reach {
  readonly via: Route
  /** Milliseconds until a connection stands. */
  readonly timeout: number
  /** Tells something of the way, when `--trace` was said. */
  readonly note: (text: string) => void
}

/** As long as the library's own: somebody waits for it. */
export const TIMEOUT_DEFAULT = '60s'

/** Does the work of a command; a `SocksError` that comes out of it becomes its trouble. */
export async function alongRoute(
  flags: ReachFlags,
  work: (reach: Reach) => Promise<Outcome<void>>,
): Promise<Outcome<void>> {
  const timeout = durationOf('--timeout', flags.timeout ?? TIMEOUT_DEFAULT)
  if (!timeout.ok) return timeout
  const via = readRoute(flags.via)
  if (!via.ok) return via
  if (flags.trace === true) traceHops(say)
  const note = flags.trace === true ? say : (): void => {}
  try {
    return await work({ via: via.value, timeout: timeout.value, note })
  } catch (error) {
    if (error instanceof SocksError) return routeTrouble(error)
    throw error
  }
}

/** Milliseconds of a flag; 0 is never. */
export function durationOf(flag: string, text: string): Outcome<number> {
  const ms = parseDuration(text)
  if (ms === undefined) return trouble(EXIT.USAGE, `${flag} ${text}: ${DURATION_EXPECTED}`)
  return done(ms === 0 ? Infinity : ms)
}

function readRoute(via: readonly string[] | undefined): Outcome<Route> {
  try {
    return done(via === undefined ? routeFromEnvironment() : routeOfVia(via))
  } catch (error) {
    if (!(error instanceof SocksError)) throw error
    const detail = error.detail ?? error.message
    return via === undefined ? trouble(EXIT.ENVIRONMENT, detail) : trouble(EXIT.USAGE, `--via: ${detail}`)
  }
}

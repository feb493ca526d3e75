/** `socksmith accept`: asks a proxy to listen (BIND), tells the address, and joins the caller with what is here. */
import type { Socket } from 'node:net'
import { connect as connectHere } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { type SocksListener, connectionDetails, listen } from '@socksmith/client'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import { type ReachFlags, alongRoute, durationOf } from '../reach/along-route.ts'
import { joinStandardStreams } from '../reach/standard-streams.ts'
import { TARGET_EXPECTED, type Target, formatTarget, parseTarget } from '../reach/target-text.ts'
import { print, say } from '../terminal/say.ts'

export interface AcceptFlags extends ReachFlags {
  /** Who is expected: `HOST` or `HOST:PORT`. */
  readonly from?: string
  /** Where the caller is led, in place of standard input and output. */
  readonly to?: string
  readonly keep?: boolean
  readonly wait?: string
}

/** Runs until the caller and we have finished; with `keep`, for ever. */
export async function accept(flags: AcceptFlags): Promise<Outcome<void>> {
  const to = flags.to === undefined ? undefined : parseTarget(flags.to)
  if (flags.to !== undefined && to === undefined) return trouble(EXIT.USAGE, `--to ${flags.to}: ${TARGET_EXPECTED}`)
  if (flags.keep === true && to === undefined) {
    return trouble(EXIT.USAGE, '--keep needs --to HOST:PORT: standard input can be given to one caller only')
  }
  const wait = durationOf('--wait', flags.wait ?? '0')
  if (!wait.ok) return wait
  return alongRoute(flags, async ({ via, timeout }) => {
    let listener = await listen({ ...expected(flags.from), via, timeout, allowHalfOpen: true })
    for (;;) {
      tellAddress(listener, to === undefined)
      const caller = await listener.accept({ timeout: wait.value })
      const bound = connectionDetails(caller)?.bound
      if (bound !== undefined) say(`accepted ${formatTarget(bound)}`)
      if (to === undefined) return joinStandardStreams(caller)
      const joined = joinWith(caller, to)
      if (flags.keep !== true) return joined
      void joined.then(outcome => outcome.ok || say(outcome.trouble.message))
      listener = await listener.again()
    }
  })
}

function expected(from: string | undefined): { host?: string; port?: number } {
  if (from === undefined) return {}
  return parseTarget(from) ?? { host: from }
}

// Where standard output is the stream, it is that alone.
function tellAddress({ address }: SocksListener, isStream: boolean): void {
  if (isStream) say(`listening on ${formatTarget(address)}`)
  else print(formatTarget(address))
}

/** Joins the caller with a port of this machine or network, reached directly. */
async function joinWith(caller: Socket, to: Target): Promise<Outcome<void>> {
  const here = connectHere({ ...to, allowHalfOpen: true })
  try {
    await Promise.all([pipeline(caller, here), pipeline(here, caller)])
    return done(undefined)
  } catch (error) {
    caller.destroy()
    here.destroy()
    const { code = 'broken', syscall } = error as NodeJS.ErrnoException
    const isRefused = syscall === 'connect'
    return trouble(
      isRefused ? EXIT.UNAVAILABLE : EXIT.BROKEN,
      `${formatTarget(to)}: ${isRefused ? 'no connection' : 'the connection broke'}: ${code}`,
    )
  }
}

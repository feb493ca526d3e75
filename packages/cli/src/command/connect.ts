/** `socksmith connect`: standard input and output to a target, as ssh's ProxyCommand and git want it. */
import { connect } from '@socksmith/client'
import { EXIT, type Outcome, trouble } from '../exit.ts'
import { type ReachFlags, alongRoute } from '../reach/along-route.ts'
import { joinStandardStreams } from '../reach/standard-streams.ts'
import { TARGET_EXPECTED, type Target, formatTarget, parsePort, parseTarget } from '../reach/target-text.ts'

/** Runs until both directions have ended. */
export async function connectStreams(
  host: string,
  port: string | undefined,
  flags: ReachFlags,
): Promise<Outcome<void>> {
  const target = targetOfWords(host, port)
  if (!target.ok) return target
  return alongRoute(flags, async ({ via, timeout, note }) => {
    const startedMs = performance.now()
    const socket = await connect({ ...target.value, via, timeout, allowHalfOpen: true })
    note(`${formatTarget(target.value)}: connected after ${(performance.now() - startedMs).toFixed(1)} ms`)
    socket.setNoDelay(true)
    return joinStandardStreams(socket)
  })
}

/** `HOST PORT`, or `HOST:PORT` as one word. */
export function targetOfWords(host: string, port: string | undefined): Outcome<Target> {
  const number = parsePort(port)
  const target = port === undefined ? parseTarget(host) : number && { host, port: number }
  if (target) return { ok: true, value: target }
  return trouble(
    EXIT.USAGE,
    port === undefined ? `${host}: ${TARGET_EXPECTED}` : `${port}: expected a port, a number from 1 to 65535`,
  )
}

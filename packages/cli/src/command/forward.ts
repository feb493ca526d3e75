/** `socksmith forward`: local ports that lead to targets, until a signal ends them. */
import {
  type Engine,
  type EngineKind,
  type Place,
  createCachingResolver,
  selectEngine,
  systemLookup,
} from '@socksmith/engine'
import { type Destination, type Failure, checkNameText, parseIp } from '@socksmith/protocol'
import { PLACE_EXPECTED, formatPlace, parsePlace } from '../config/place-text.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import type { Forward, ForwardOptions } from '../forward/forward.ts'
import { openTcpForward } from '../forward/tcp-forward.ts'
import { openUdpForward } from '../forward/udp-forward.ts'
import { type Reach, type ReachFlags, alongRoute, durationOf } from '../reach/along-route.ts'
import { TARGET_EXPECTED, parseTarget } from '../reach/target-text.ts'
import { stopSignal } from '../serving/stop.ts'
import { say } from '../terminal/say.ts'
import { version } from '../version.ts'

export interface ForwardFlags extends ReachFlags {
  readonly udp?: boolean
  readonly engine: EngineKind
  readonly drain: string
}

/** Forwards `LISTEN TARGET` pairs until SIGTERM or SIGINT. */
export async function forward(words: readonly string[], flags: ForwardFlags): Promise<Outcome<void>> {
  const pairs = parsePairs(words, flags.udp === true)
  if (!pairs.ok) return pairs
  const drain = durationOf('--drain', flags.drain)
  if (!drain.ok) return drain
  const { engine, reason } = selectEngine(flags.engine)
  if (engine === undefined) return trouble(EXIT.UNAVAILABLE, `the Linux engine cannot run here: ${reason}`)
  return alongRoute(flags, async reach => {
    const stopped = stopSignal()
    const forwards = await openAll(pairs.value, optionsOf(engine, reach), flags.udp === true)
    if (!forwards.ok) return forwards
    const places = forwards.value.map(({ place }, index) => `${formatPlace(place)} to ${pairs.value[index]?.text}`)
    say(
      `socksmith ${version()} ready: ${places.join(', ')}${flags.udp === true ? ' (UDP)' : ''}; engine ${engine.name}`,
    )
    await stopped
    await finish(engine, forwards.value, drain.value)
    return done(undefined)
  })
}

interface Pair {
  readonly listen: Place
  readonly target: Destination
  /** The target as it was written. */
  readonly text: string
}

function parsePairs(words: readonly string[], isUdp: boolean): Outcome<readonly Pair[]> {
  if (words.length % 2 !== 0) return trouble(EXIT.USAGE, `${words.at(-1)}: a target is missing; expected LISTEN TARGET`)
  const pairs: Pair[] = []
  for (let index = 0; index < words.length; index += 2) {
    const [listenText = '', text = ''] = words.slice(index)
    // A port alone is on this machine only.
    const listen = parsePlace(/^[0-9]+$/.test(listenText) ? `127.0.0.1:${listenText}` : listenText)
    if (listen === undefined) return trouble(EXIT.USAGE, `${listenText}: ${PLACE_EXPECTED}, or a port`)
    if (isUdp && listen.kind === 'unix') return trouble(EXIT.USAGE, `${listenText}: datagrams need ADDRESS:PORT`)
    const target = destinationOf(text)
    if (target === undefined) return trouble(EXIT.USAGE, `${text}: ${TARGET_EXPECTED}`)
    pairs.push({ listen, target, text })
  }
  return done(pairs)
}

function destinationOf(text: string): Destination | undefined {
  const target = parseTarget(text)
  if (target === undefined) return undefined
  const { host, port } = target
  const address = parseIp(host)
  if (address !== undefined) return { address, port }
  return checkNameText(host).ok ? { address: { type: 'domain', name: host }, port } : undefined
}

// The system has its own memory of names; this one spares a burst of connections the same question.
const NAMES_KEPT_MS = 5_000
const NAMES_KEPT_MAX = 1_000
/** Below the four threads of libuv. */
const LOOKUPS_AT_ONCE = 3
const LOOKUP_MS = 10_000

function optionsOf(engine: Engine, { via, timeout }: Reach): Omit<ForwardOptions, 'target'> {
  const resolver = createCachingResolver({
    lookup: systemLookup,
    clock: engine.clock,
    positiveTtlMs: NAMES_KEPT_MS,
    negativeTtlMs: 0,
    entriesMax: NAMES_KEPT_MAX,
    concurrentMax: LOOKUPS_AT_ONCE,
    timeoutMs: LOOKUP_MS,
  })
  return { engine, resolver, via, timeoutMs: timeout, tell: say }
}

/** All of them, or none. */
async function openAll(
  pairs: readonly Pair[],
  options: Omit<ForwardOptions, 'target'>,
  isUdp: boolean,
): Promise<Outcome<readonly Forward[]>> {
  const opened: Forward[] = []
  for (const { listen, target } of pairs) {
    const made =
      isUdp && listen.kind === 'ip'
        ? await openUdpForward(listen.endpoint, { ...options, target })
        : await openTcpForward(listen, { ...options, target })
    if ('code' in made) {
      await Promise.all(opened.map(one => one.stop()))
      return trouble(EXIT.UNAVAILABLE, `${formatPlace(listen)}: cannot listen: ${reasonOf(made)}`)
    }
    opened.push(made)
  }
  return done(opened)
}

function reasonOf({ errno, detail, code }: Failure): string {
  return errno === 'EADDRINUSE' ? 'the address is in use' : (errno ?? detail ?? code)
}

/** Closes the ports, lets tunnels finish for a while, and ends what is left. */
async function finish({ clock }: Engine, forwards: readonly Forward[], drainMs: number): Promise<void> {
  const all = Promise.all(forwards.map(one => one.stop()))
  const open = forwards.reduce((sum, one) => sum + one.tunnelCount, 0)
  if (open > 0)
    say(`stopping: waiting for ${open === 1 ? '1 tunnel' : `${open} tunnels`} (a second signal ends at once)`)
  const timer = drainMs === Infinity ? undefined : clock.after(drainMs, () => forwards.forEach(one => one.end()))
  await all
  timer?.cancel()
}

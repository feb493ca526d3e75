/**
 * One way through given proxies to a destination: connection, TLS and handshake of each, every next one inside the stream
 * of the one before. No octet behind a reply is lost on the way. Chooses nothing.
 */
import type { Connection, Engine } from '@socksmith/engine'
import {
  ClientHandshake,
  type ClientHandshakeOptions,
  type Destination,
  type Failure,
  type Method,
  type Protection,
  NO_OCTETS,
  formatDestination,
  noneMethod,
  userPasswordClient,
} from '@socksmith/protocol'
import type { Credentials } from '../route/credentials.ts'
import { type ProxyHop, hostNameOf } from '../route/hop.ts'
import { type RouteFailure, invalidRoute } from '../socks-error.ts'
import { type SshGranted, openSshChannel } from '../ssh/ssh-hop.ts'
import type { Carried } from '../ssh/ssh-session.ts'
import type { Asking } from './asking.ts'
import { faultOf, goalOf } from './fault.ts'
import { credentialsOf } from './login.ts'
import { type Granted, HandshakeRun, type Listening } from './handshake-run.ts'
import { UNLIMITED, limitOf } from './limits.ts'
import { type ReachOptions, reach } from './reach.ts'
import { type Spot, handshakeFailure, routeFailure } from './route-failure.ts'
import type { Scope } from './scope.ts'
import { targetsFor } from './targets.ts'
import { type HopTrace, hopTrace, nextTraceId, traceHopEnd, traceHopError, traceHopStart } from './trace.ts'

/** The last proxy has granted it. */
export interface Passed {
  readonly connection: Connection
  /** Octets behind the last reply. */
  readonly early: Uint8Array
  /** BND of the last reply. */
  readonly bound: Destination
  readonly hops: readonly HopTrace[]
  /** The last of them. */
  readonly lastHop: ProxyHop
  readonly protection?: Protection
  /** For BIND: `bound` is where the proxy listens, and this waits for the caller. */
  readonly listening?: HandshakeRun
}

/** Goes through `hops`, of which there is at least one. The last one gets the destination as it is. */
export function passThrough(
  engine: Engine,
  hops: readonly ProxyHop[],
  asking: Asking,
  options: ReachOptions,
  scope: Scope,
): Promise<Passed | RouteFailure> {
  const fault = faultOf(hops, asking)
  if (fault !== undefined) return Promise.resolve(fault)
  scope.takeTimes()
  return pass({ engine, hops, options, id: nextTraceId() }, hops.length, asking, scope)
}

/** What is the same for all parts of one way through. */
interface Passage {
  readonly engine: Engine
  readonly hops: readonly ProxyHop[]
  readonly options: ReachOptions
  readonly id: number
}

/** Goes through the first `end` proxies, the last of which is asked. */
async function pass(passage: Passage, end: number, asking: Asking, scope: Scope): Promise<Passed | RouteFailure> {
  const { hops, options, id } = passage
  // The way to an ssh server, and the login there, may stand already: it begins at the last one.
  const first = Math.max(
    0,
    hops.findLastIndex(({ protocol }, index) => protocol === 'ssh' && index < end),
  )
  const traces: HopTrace[] = []
  let [carrier, early]: [Connection | undefined, Uint8Array] = [undefined, NO_OCTETS]
  for (let index = first; index < end; index++) {
    const proxy = hops[index] as ProxyHop
    const spot: Spot = { hop: index, proxy }
    const goal = index === end - 1 ? asking : await goalFor(hops[index + 1] as ProxyHop, asking, spot, options, scope)
    if ('code' in goal) {
      carrier?.destroy()
      return goal
    }
    const start = { id, hop: index, proxy: proxy.label, target: formatDestination(goal.destination) }
    let isStarted = false
    const begin = (): void => {
      if (!isStarted) traceHopStart(start)
      isStarted = true
    }
    const passed: OnePassed | RouteFailure =
      proxy.protocol === 'ssh'
        ? await passSsh(passage, spot, goal, begin, scope)
        : await (begin(), passOne(passage, spot, carrier, early, goal, scope))
    if ('code' in passed) {
      carrier?.destroy()
      const error = blameNext(passed, spot, hops)
      // What happened before an ssh server was told where it happened.
      if (isStarted) traceHopError({ ...start, error })
      return error
    }
    const { before = [], login = [] } = passed
    const trace = hopTrace(index, proxy.label, start.target, [...login, ...scope.takeTimes()])
    traces.push(...before)
    traces.push(trace)
    traceHopEnd({ ...trace, id })
    if (passed.kind === 'listening') {
      const { bound, run } = passed
      return { connection: run.connection, early: NO_OCTETS, bound, hops: traces, lastHop: proxy, listening: run }
    }
    ;({ connection: carrier, early } = passed)
    if (index === end - 1) return { ...passed, hops: traces, lastHop: proxy }
  }
  throw new Error('a way without proxies')
}

type OnePassed = (Granted | (Listening & { run: HandshakeRun })) & Partial<Pick<SshGranted, 'before' | 'login'>>

async function passOne(
  { engine, options }: Passage,
  spot: Spot,
  carrier: Connection | undefined,
  received: Uint8Array,
  goal: Asking,
  scope: Scope,
): Promise<Granted | (Listening & { run: HandshakeRun }) | RouteFailure> {
  const connection = carrier ?? (await reach(engine, spot.proxy.place, options, scope, spot))
  if ('code' in connection) return connection
  if (spot.proxy.tls === undefined) return shakeHands(connection, received, goal, spot, scope)
  const secured = await secure(engine, connection, received, spot, options, scope)
  return 'code' in secured ? secured : shakeHands(secured, NO_OCTETS, goal, spot, scope)
}

async function secure(
  engine: Engine,
  connection: Connection,
  received: Uint8Array,
  spot: Spot,
  options: ReachOptions,
  scope: Scope,
): Promise<Connection | RouteFailure> {
  scope.enter('tls', spot)
  const { place } = spot.proxy
  const { serverName = hostNameOf(place), ...tls } = spot.proxy.tls ?? {}
  const timeoutMs = limitOf('tls', options.timeouts) + 1_000
  const secured: Connection | Failure | RouteFailure = await scope.during(
    engine.secureAsClient(connection, received, { ...tls, serverName, timeoutMs }),
  )
  if (!('code' in secured)) return secured
  return 'failure' in secured ? secured : routeFailure('SOCKS_TLS_FAILED', secured, 'tls', spot)
}

function passSsh(
  passage: Passage,
  spot: Spot,
  goal: Asking,
  begin: () => void,
  scope: Scope,
): Promise<SshGranted | RouteFailure> {
  const { engine, options } = passage
  const { traits = {} } = goal
  const way = { engine, hops: passage.hops.slice(0, spot.hop + 1), options, traits }
  return openSshChannel(way, own => carryToSsh(passage, spot, goal, begin, own), goal, begin, scope)
}

/** For a new session: through the proxies before its server. */
async function carryToSsh(
  passage: Passage,
  spot: Spot,
  asking: Asking,
  begin: () => void,
  scope: Scope,
): Promise<Carried | RouteFailure> {
  // It lives longer than the connection for which it is opened.
  const lasting = { ...passage, options: { ...passage.options, timeouts: UNLIMITED, keepAlive: true } }
  let before: Passed | undefined
  if (spot.hop > 0) {
    const previous: Spot = { hop: spot.hop - 1, proxy: passage.hops[spot.hop - 1] as ProxyHop }
    const goal = await goalFor(spot.proxy, asking, previous, lasting.options, scope)
    const passed = 'code' in goal ? goal : await pass(lasting, spot.hop, goal, scope)
    if ('code' in passed) return passed
    before = passed
  }
  begin()
  const { engine, options } = lasting
  const traces = before?.hops ?? []
  const early = before?.early ?? NO_OCTETS
  const connection = before?.connection ?? (await reach(engine, spot.proxy.place, options, scope, spot))
  if ('code' in connection || spot.proxy.tls === undefined) {
    return 'code' in connection ? connection : { connection, early, traces }
  }
  const secured = await secure(engine, connection, early, spot, options, scope)
  return 'code' in secured ? secured : { connection: secured, early: NO_OCTETS, traces }
}

async function shakeHands(
  connection: Connection,
  received: Uint8Array,
  asking: Asking,
  spot: Spot,
  scope: Scope,
): Promise<Granted | (Listening & { run: HandshakeRun }) | RouteFailure> {
  scope.enter('greeting', spot)
  const known = credentialsOf(spot.proxy, asking.traits, scope)
  const credentials = known instanceof Promise ? await known : known
  const options =
    credentials !== undefined && 'code' in credentials ? credentials : handshakeOptions(asking, spot, credentials)
  if ('code' in options) {
    connection.destroy()
    return options
  }
  const { prompt, protocol, label } = spot.proxy
  // The answer of an HTTP proxy may ask for something else than a tunnel: nothing is sent into that.
  const early = protocol === 'http' ? undefined : asking.earlyData
  const run = new HandshakeRun(connection, new ClientHandshake(options), received, {
    onPhase: phase => phase !== 'relay' && scope.enter(phase, spot),
    ...(prompt && { prompt: (text: Uint8Array) => prompt(text, label) }),
    ...(early && { earlyData: early }),
  })
  const outcome = await scope.during(run)
  if ('code' in outcome) return outcome
  if (outcome.kind === 'refused') return handshakeFailure(outcome.failure, outcome.phase, spot)
  if (outcome.kind === 'listening') return { ...outcome, run }
  if (protocol === 'http' && asking.earlyData !== undefined) outcome.connection.write(asking.earlyData)
  return outcome
}

function handshakeOptions(
  asking: Asking,
  { proxy }: Spot,
  credentials: Credentials | undefined,
): ClientHandshakeOptions | RouteFailure {
  const told = credentials?.reveal()
  const { command, destination } = asking
  switch (proxy.protocol) {
    case 'socks5':
      return { protocol: 'socks5', methods: methodsOf(proxy, credentials), command, destination }
    case 'socks4':
    case 'socks4a':
      return { protocol: 'socks4', command, destination, userid: told?.username ?? NO_OCTETS }
    case 'http':
      return { protocol: 'http', command: 'connect', destination, ...(told && { credentials: told }) }
    case 'ssh':
      return invalidRoute('ssh has no handshake of SOCKS')
  }
}

function methodsOf(proxy: ProxyHop, credentials: Credentials | undefined): readonly Method[] {
  if (proxy.methods !== undefined) return proxy.methods
  // None is offered too: a proxy that wants no password must not be turned away for our having one.
  return credentials === undefined ? [noneMethod] : [noneMethod, userPasswordClient(credentials.reveal())]
}

/** As {@link goalOf}, in a form that the proxy before it can take. */
async function goalFor(
  next: ProxyHop,
  { traits }: Asking,
  spot: Spot,
  options: ReachOptions,
  scope: Scope,
): Promise<Asking | RouteFailure> {
  const { command, destination } = goalOf(next)
  const targets = await targetsFor(destination, command, spot, options, scope)
  return 'code' in targets ? targets : { command, destination: targets[0], ...(traits && { traits }) }
}

// A proxy that says it cannot reach the next one has done its part: the next one is dead.
function blameNext(why: RouteFailure, spot: Spot, hops: readonly ProxyHop[]): RouteFailure {
  const next = hops[spot.hop + 1]
  if (next === undefined || why.hop !== spot.hop || why.phase !== 'request' || why.failure.blame === 'us') return why
  const isAnswer = why.failure.rep !== undefined || why.failure.status !== undefined || spot.proxy.protocol === 'ssh'
  if (!isAnswer) return why
  return { ...why, code: 'SOCKS_PROXY_UNREACHABLE', phase: 'connect', hop: spot.hop + 1, proxy: next.label }
}

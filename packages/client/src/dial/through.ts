/**
 * One way through given proxies to a destination: connection, TLS and handshake of each, every next one inside the stream
 * of the one before. No octet behind a reply is lost on the way. Chooses nothing.
 */
import type { Connection, Engine } from '@socksmith/engine'
import {
  ClientHandshake,
  type ClientHandshakeOptions,
  type CommandName,
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
import { type HopProtocol, type ProxyHop, hostNameOf } from '../route/hop.ts'
import { type RouteFailure, invalidRoute } from '../socks-error.ts'
import { openSshChannel } from '../ssh/ssh-hop.ts'
import type { Asking } from './asking.ts'
import { credentialsOf } from './login.ts'
import { type Granted, HandshakeRun, type Listening } from './handshake-run.ts'
import { limitOf } from './limits.ts'
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
export async function passThrough(
  engine: Engine,
  hops: readonly ProxyHop[],
  asking: Asking,
  options: ReachOptions,
  scope: Scope,
): Promise<Passed | RouteFailure> {
  const fault = faultOf(hops, asking)
  if (fault !== undefined) return fault
  const id = nextTraceId()
  const traces: HopTrace[] = []
  let [carrier, early]: [Connection | undefined, Uint8Array] = [undefined, NO_OCTETS]
  scope.takeTimes()
  for (const [index, proxy] of hops.entries()) {
    const spot: Spot = { hop: index, proxy }
    const next = hops[index + 1]
    const last = next === undefined
    const goal = next === undefined ? asking : await goalFor(next, asking, spot, options, scope)
    if ('code' in goal) {
      carrier?.destroy()
      return goal
    }
    const start = { id, hop: index, proxy: proxy.label, target: formatDestination(goal.destination) }
    traceHopStart(start)
    const passed = await passOne(engine, spot, carrier, early, goal, options, scope)
    if ('code' in passed) {
      carrier?.destroy()
      const error = last ? passed : blameNext(passed, spot, hops)
      traceHopError({ ...start, error })
      return error
    }
    const trace = hopTrace(index, proxy.label, start.target, scope.takeTimes())
    traces.push(trace)
    traceHopEnd({ ...trace, id })
    if (passed.kind === 'listening') {
      const { bound, run } = passed
      return { connection: run.connection, early: NO_OCTETS, bound, hops: traces, lastHop: proxy, listening: run }
    }
    ;({ connection: carrier, early } = passed)
    if (last) return { ...passed, hops: traces, lastHop: proxy }
  }
  throw new Error('a way without proxies')
}

async function passOne(
  engine: Engine,
  spot: Spot,
  carrier: Connection | undefined,
  received: Uint8Array,
  goal: Asking,
  options: ReachOptions,
  scope: Scope,
): Promise<Granted | (Listening & { run: HandshakeRun }) | RouteFailure> {
  const { proxy } = spot
  let [connection, early]: [Connection | RouteFailure, Uint8Array] = [
    carrier ?? (await reach(engine, proxy.place, options, scope, spot)),
    received,
  ]
  if ('code' in connection) return connection
  if (proxy.tls !== undefined) {
    scope.enter('tls', spot)
    const { serverName = hostNameOf(proxy.place), ...tls } = proxy.tls
    const timeoutMs = limitOf('tls', options.timeouts) + 1_000
    const secured: Connection | Failure | RouteFailure = await scope.during(
      engine.secureAsClient(connection, early, { ...tls, serverName, timeoutMs }),
    )
    if ('code' in secured)
      return 'failure' in secured ? secured : routeFailure('SOCKS_TLS_FAILED', secured, 'tls', spot)
    ;[connection, early] = [secured, NO_OCTETS]
  }
  if (proxy.protocol === 'ssh') return await openSshChannel(connection, early, goal, spot, scope)
  return await shakeHands(connection, early, goal, spot, scope)
}

async function shakeHands(
  connection: Connection,
  received: Uint8Array,
  asking: Asking,
  spot: Spot,
  scope: Scope,
): Promise<Granted | (Listening & { run: HandshakeRun }) | RouteFailure> {
  scope.enter('greeting', spot)
  const options = await handshakeOptions(asking, spot, scope)
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

async function handshakeOptions(
  asking: Asking,
  spot: Spot,
  scope: Scope,
): Promise<ClientHandshakeOptions | RouteFailure> {
  const { proxy } = spot
  const credentials = await credentialsOf(proxy, asking.traits ?? {}, scope)
  if (credentials !== undefined && 'code' in credentials) return credentials
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

/** The next proxy as what to ask for. */
function goalOf({ place }: ProxyHop): Asking {
  if (place.kind === 'unix') throw new Error('a Unix socket inside a chain passed the check')
  return { command: 'connect', destination: place.destination }
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

/** What cannot be asked of these proxies at all: known before anything is opened. */
function faultOf(hops: readonly ProxyHop[], asking: Asking): RouteFailure | undefined {
  for (const [hop, proxy] of hops.entries()) {
    const next = hops[hop + 1]
    const at = { hop, proxy: proxy.label }
    if (hop > 0 && proxy.place.kind === 'unix') {
      return { ...invalidRoute('a Unix socket can only be the first proxy of a chain'), ...at }
    }
    const { command, destination } = next?.place.kind === 'host' ? goalOf(next) : asking
    const { protocol } = proxy
    if (protocol === 'socks4' && destination.address.type === 'ipv6') {
      return { ...invalidRoute('SOCKS4 carries no IPv6 address'), ...at }
    }
    const known = COMMANDS[protocol]
    if (!known.includes(command)) return { ...invalidRoute(`${protocol} has no command ${command}`), ...at }
  }
  return undefined
}

const COMMANDS: { readonly [P in HopProtocol]: readonly CommandName[] } = {
  socks4: ['connect', 'bind'],
  socks4a: ['connect', 'bind', 'resolve'],
  socks5: ['connect', 'bind', 'udp-associate', 'resolve', 'resolve-ptr'],
  http: ['connect'],
  ssh: ['connect'],
}

// A proxy that says it cannot reach the next one has done its part: the next one is dead.
function blameNext(why: RouteFailure, spot: Spot, hops: readonly ProxyHop[]): RouteFailure {
  const next = hops[spot.hop + 1]
  if (next === undefined || why.hop !== spot.hop || why.phase !== 'request' || why.failure.blame === 'us') return why
  if (why.failure.rep === undefined && why.failure.status === undefined) return why
  return { ...why, code: 'SOCKS_PROXY_UNREACHABLE', phase: 'connect', hop: spot.hop + 1, proxy: next.label }
}

/** Asks the members of pools whether they work, before somebody's connection has to find out. Keeps no schedule. */
import type { Engine, Resolver } from '@socksmith/engine'
import type { Destination } from '@socksmith/protocol'
import type { ProxyHop } from '../route/hop.ts'
import { type Member, isDown, noteDown, noteSuccess } from '../route/memory.ts'
import type { PoolRoute, Route, Traits } from '../route/route.ts'
import type { RouteFailure } from '../socks-error.ts'
import { dialRoute } from './dial-route.ts'
import { reach } from './reach.ts'
import { Scope } from './scope.ts'

export interface ProbeOptions {
  /** What the member is asked for. Absent: it is enough that its first proxy accepts a connection. */
  readonly to?: Destination
  readonly resolver: Resolver
  /** Milliseconds for everything together. */
  readonly timeoutMs: number
  /** Milliseconds for which a member that does not work is avoided. */
  readonly downMs: number
  readonly traits?: Traits
}

/** Every pool of a route, the inner ones too. */
export function poolsOf(route: Route): readonly PoolRoute[] {
  switch (route.kind) {
    case 'direct':
    case 'block':
    case 'proxy':
      return []
    case 'chain':
      return route.links.flatMap(poolsOf)
    case 'pool':
      return [route, ...route.members.flatMap(poolsOf)]
    case 'rules':
      return route.rules.flatMap(({ via }) => poolsOf(via))
  }
}

/** True while the member is avoided. */
export function isMemberDown(member: PoolRoute['members'][number], nowMs: number): boolean {
  return isDown(member, nowMs)
}

/** Tries one member, and remembers what came of it for everybody who uses its pool. Answers why it does not work. */
export async function probeMember(
  engine: Engine,
  member: PoolRoute['members'][number],
  options: ProbeOptions,
): Promise<RouteFailure | undefined> {
  const { clock } = engine
  const startedMs = clock.monotonicMs()
  const failure = options.to === undefined ? await knock(engine, member, options) : await ask(engine, member, options)
  const nowMs = clock.monotonicMs()
  // It could not be asked at all, or somebody gave up: that says nothing about it.
  if (failure?.code === 'SOCKS_BAD_ARGUMENT' || failure?.code === 'SOCKS_ABORTED') return undefined
  if (failure === undefined) noteSuccess(member, nowMs - startedMs)
  else noteDown(member, nowMs + options.downMs)
  return failure
}

async function ask(
  engine: Engine,
  member: Member,
  { to, ...options }: ProbeOptions,
): Promise<RouteFailure | undefined> {
  if (to === undefined) return undefined
  const dialled = await dialRoute(engine, member, to, options).result
  if (!('code' in dialled)) {
    dialled.connection.destroy()
    return undefined
  }
  // The proxy went there, and the target said no.
  return dialled.code === 'SOCKS_CONNECTION_REFUSED' ? undefined : dialled
}

async function knock(engine: Engine, member: Member, options: ProbeOptions): Promise<RouteFailure | undefined> {
  const scope = new Scope(engine.clock, options.timeoutMs, {})
  const proxy = firstHop(member)
  try {
    const connection = await reach(engine, proxy.place, { ...options, timeouts: {} }, scope, { hop: 0, proxy })
    if ('code' in connection) return connection
    connection.destroy()
    return undefined
  } finally {
    scope.finish()
  }
}

function firstHop(member: Member): ProxyHop {
  if (member.kind === 'proxy') return member.hop
  const first = member.kind === 'chain' ? member.links[0] : member.members[0]
  return firstHop(first as Member)
}

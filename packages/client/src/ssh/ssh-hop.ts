/**
 * A proxy that is an ssh server: a channel to the target in a session that several connections share. Needs the package
 * `ssh2`, which is loaded when the first such proxy is used.
 */
import type { Asking } from '../dial/asking.ts'
import type { Granted } from '../dial/handshake-run.ts'
import { type Spot, routeFailure } from '../dial/route-failure.ts'
import type { PhaseTime, Scope } from '../dial/scope.ts'
import type { HopTrace } from '../dial/trace.ts'
import type { ProxyHop } from '../route/hop.ts'
import type { RouteFailure } from '../socks-error.ts'
import type { Carry, SshSession } from './ssh-session.ts'
import { type SshWay, sshSessionFor } from './ssh-sessions.ts'

/** A channel, with what its session has cost where it was opened for this one. */
export interface SshGranted extends Granted {
  /** The proxies before the server. */
  readonly before: readonly HopTrace[]
  readonly login: readonly PhaseTime[]
}

/**
 * Opens a channel to what is asked for, in a session that stands or in a new one. `begin` is called when the server is
 * about to be used; `carry` calls it for a new session.
 */
export async function openSshChannel(
  way: SshWay,
  carry: Carry,
  { destination, earlyData }: Asking,
  begin: () => void,
  scope: Scope,
): Promise<SshGranted | RouteFailure> {
  const spot: Spot = { hop: way.hops.length - 1, proxy: way.hops.at(-1) as ProxyHop }
  for (;;) {
    const { session, isNew } = sshSessionFor(way, carry)
    const stood = session.isOpen
    if (!isNew) begin()
    const fault = await scope.during(session.whenOpen((phase, at) => scope.enter(phase, at)))
    if (fault !== undefined) {
      session.giveBack()
      return fault
    }
    scope.enter('request', spot)
    // The session has counted what came before.
    if (isNew) scope.takeTimes()
    const granted = await scope.during(session.openChannel(destination))
    if ('kind' in granted) {
      if (earlyData !== undefined) granted.connection.write(earlyData)
      return { ...granted, ...(isNew ? { before: session.traces, login: session.loginTimes } : unmeasured(session)) }
    }
    if ('failure' in granted) {
      // The server may be gone without a word.
      if (granted.code === 'SOCKS_TIMED_OUT') session.retire()
      return granted
    }
    // Nobody had noticed that the session was broken: that is no answer of the server.
    if (granted.code === 'truncated' && stood) continue
    const code = granted.code === 'connection_refused' ? 'SOCKS_CONNECTION_REFUSED' : 'SOCKS_NOT_ALLOWED'
    return routeFailure(granted.code === 'truncated' ? 'SOCKS_PROXY_CLOSED' : code, granted, 'request', spot)
  }
}

/** The proxies of a session that stood: this connection has cost them nothing. */
function unmeasured({ traces }: SshSession): Pick<SshGranted, 'before' | 'login'> {
  return { before: traces.map(trace => ({ ...trace, phases: [], ms: 0 })), login: [] }
}

/** The end of a server: the first signal lets sessions finish up to a deadline, the second ends at once. */
import { constants } from 'node:os'
import type { LiveSession } from '@socksmith/server'
import type { NameKeeper } from '../dns/name-caches.ts'
import type { GovernedServer } from '../policy/in-force.ts'
import type { Banning } from '../state/live-state.ts'
import { say } from '../terminal/say.ts'

/** What serves: one server, or several as one. */
export interface RunningServer extends GovernedServer, Banning, NameKeeper {
  /** Client connections that are not yet closed. */
  readonly sessionCount: number
  sessions(): Promise<readonly LiveSession[]> | readonly LiveSession[]
  /** Resolves, after `stop`, when no socket listens any more. */
  readonly deaf: Promise<void>
  /** No new connections from now on; ends what is left at the deadline, and answers how many. */
  stop(options: { readonly deadlineMs: number }): Promise<number>
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const
type StopSignal = (typeof SIGNALS)[number]

/**
 * From now on SIGTERM and SIGINT are ours: the answer resolves with the first one, and the second ends the process.
 * To be called before the server is said to be ready, for a signal may follow at once.
 */
export function stopSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let received = 0
  const onSignal = (signal: StopSignal): void => {
    received++
    resolve()
    if (received < 2) return
    say('stopped at once')
    // The one place that exits by force: a person has asked twice.
    process.exit(128 + constants.signals[signal])
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  return promise
}

/** Lets the sessions finish, `drainMs` at most, and says what becomes of them. */
export async function drain(server: RunningServer, drainMs: number): Promise<void> {
  const { sessionCount } = server
  // First the port is closed, then it is said.
  const stopped = server.stop({ deadlineMs: drainMs })
  await server.deaf
  if (sessionCount > 0) {
    const wait = `waiting for ${sessionsText(sessionCount)}, ${drainMs / 1_000} s at most`
    say(`stopping: no new connections; ${wait} (a second signal ends at once)`)
  }
  const ended = await stopped
  const left = `${sessionsText(ended)} left at the deadline ${ended === 1 ? 'was' : 'were'} ended`
  say(`stopped; ${ended === 0 ? 'no session was left' : left}`)
}

function sessionsText(count: number): string {
  return count === 1 ? '1 session' : `${count} sessions`
}

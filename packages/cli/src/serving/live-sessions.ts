/** The live sessions of a running server, as a table on standard error, whenever somebody sends SIGUSR2. */
import { formatDestination } from '@socksmith/protocol'
import type { LiveSession } from '@socksmith/server'
import { formatPlace } from '../config/place-text.ts'
import { durationText, octetsText } from '../log/record-line.ts'
import { say } from '../terminal/say.ts'
import { visible } from '../terminal/visible.ts'
import type { RunningServer } from './stop.ts'

/** From now on the signal shows them. */
export function showSessionsOnSignal(server: RunningServer): void {
  process.on('SIGUSR2', () => {
    void Promise.resolve(server.sessions()).then(sessions => say(sessionsTable(sessions)))
  })
}

/** One line for each session, and one that counts them. */
export function sessionsTable(sessions: readonly LiveSession[]): string {
  const lines = sessions.map(
    session =>
      `${session.id} ${session.user === undefined ? '-' : visible(session.user)} ${formatPlace(session.client)} ${targetText(session)} ${octetsText(session.clientToTarget)} up ${octetsText(session.targetToClient)} down ${durationText(session.durationMs)}`,
  )
  return [...lines, `${sessions.length} live ${sessions.length === 1 ? 'session' : 'sessions'}`].join('\n')
}

function targetText({ target, command }: LiveSession): string {
  return target === undefined
    ? '(no request yet)'
    : `→ ${visible(formatDestination(target))} ${command ?? ''}`.trimEnd()
}

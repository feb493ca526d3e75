/** What makes a running server read its policy and open its log again: SIGHUP, the control socket, a changed set. Knows no rule. */
import { subjectText } from '@socksmith/server'
import type { Config } from '../config/config.ts'
import { type ControlSocket, openControl } from '../control/control-socket.ts'
import type { ControlAnswer, ControlQuestion } from '../control/question.ts'
import type { NameKeeper } from '../dns/name-caches.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import type { SessionLog } from '../log/session-log.ts'
import type { GovernedServer } from '../policy/in-force.ts'
import type { LivePolicy, ReadPolicy } from '../policy/live-policy.ts'
import { openConfiguredPolicy } from '../policy/open-policy.ts'
import type { LiveState } from '../state/live-state.ts'
import type { EffectiveConfig } from './effective-config.ts'

/** Reads the policy of the configuration as it is now; what else is not as it was at the start waits for a restart. */
export function policyReader(
  started: EffectiveConfig,
  readAgain: () => Promise<Outcome<EffectiveConfig>>,
): () => Promise<Outcome<ReadPolicy>> {
  let isFirst = true
  return async () => {
    const now = isFirst ? done(started) : await readAgain()
    isFirst = false
    if (!now.ok) return now
    const opened = await openConfiguredPolicy(now.value.config, now.value.file)
    return opened.ok ? done({ ...opened.value, waiting: changedKeys(started.config, now.value.config) }) : opened
  }
}

/** From now on SIGHUP and the control socket reload; the answer ends that. */
export async function keepPolicy(kept: Kept, controlPath: string | undefined): Promise<Outcome<() => Promise<void>>> {
  const control =
    controlPath === undefined ? undefined : await openControl(controlPath, question => answer(question, kept))
  if (control?.ok === false) return control
  let isReleased = false
  // Without anybody who hears it, the signal would end the process: nobody wants that while sessions are let finish.
  process.on('SIGHUP', () => {
    if (!isReleased) void reload(kept)
  })
  const stop = kept.policy.keep(kept.server)
  return done(async () => {
    stop()
    isReleased = true
    await closed(control?.value)
  })
}

/** What is kept up to date, and what the control socket asks and changes. */
export interface Kept {
  readonly policy: LivePolicy
  readonly server: GovernedServer & NameKeeper
  readonly state: LiveState
  readonly log: SessionLog
}

/** The log first: what comes of the reload stands in the file that is opened now. */
async function reload({ policy, log }: Kept): Promise<Outcome<string>> {
  const fault = await log.reopen()
  const outcome = await policy.reload()
  if (fault === undefined) return outcome
  return trouble(EXIT.CANNOT_WRITE, `${outcome.ok ? outcome.value : outcome.trouble.message}; but ${fault}`)
}

async function answer(question: ControlQuestion, kept: Kept): Promise<ControlAnswer> {
  const { server, state } = kept
  switch (question.ask) {
    case 'names':
      return { ok: true, message: '', names: await server.names() }
    case 'flush-names': {
      const count = await server.flushNames(question.name)
      return { ok: true, message: `forgot ${count} ${count === 1 ? 'entry' : 'entries'}` }
    }
    case 'reload': {
      const outcome = await reload(kept)
      if (outcome.ok) return { ok: true, message: outcome.value }
      const { exitCode, message } = outcome.trouble
      return { ok: false, exitCode, message }
    }
    case 'bans':
      return { ok: true, message: '', bans: state.bans }
    case 'ban': {
      const { subject, forMs, reason } = question
      const sinceMs = Date.now()
      const until = forMs === undefined ? {} : { untilMs: sinceMs + forMs }
      const ended = await state.add({ subject, sinceMs, by: 'operator', ...until, ...(reason && { reason }) })
      const sessions = `${ended} ${ended === 1 ? 'session' : 'sessions'} ended`
      return { ok: true, message: `${subjectText(subject)} is banned; ${sessions}` }
    }
    case 'unban': {
      const { subject } = question
      return (await state.remove(subject))
        ? { ok: true, message: `${subject} is banned no more` }
        : { ok: false, message: `there is no ban of ${subject}; "socksmith ban list" shows them` }
    }
  }
}

async function closed(control: ControlSocket | undefined): Promise<void> {
  await control?.close()
}

/** Keys that are read once, when the server starts. */
function changedKeys(before: Config, after: Config): readonly string[] {
  const [old, young] = [fixed(before), fixed(after)]
  const keys = new Set([...Object.keys(old), ...Object.keys(young)])
  return [...keys].filter(key => JSON.stringify(old[key]) !== JSON.stringify(young[key]))
}

function fixed({ policy: _policy, geo: _geo, ways: _ways, access, ...rest }: Config): {
  readonly [key: string]: unknown
} {
  return { ...rest, 'access.commands': access.commands }
}

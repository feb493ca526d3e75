/** `socksmith reload`: asks a running server, by its control socket, to read everything again, and tells what it answers. */
import { askControl } from '../control/control-socket.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import { say } from '../terminal/say.ts'
import { type ControlFlags, controlPath } from './control-path.ts'

export async function reload(flags: ControlFlags): Promise<Outcome<void>> {
  const path = await controlPath(flags)
  if (!path.ok) return path
  const answer = await askControl(path.value, { ask: 'reload' })
  if (!answer.ok) return trouble(EXIT.UNAVAILABLE, answer.trouble.message)
  if (!answer.value.ok) return trouble(answer.value.exitCode ?? EXIT.DATA, answer.value.message)
  say(answer.value.message)
  return done(undefined)
}

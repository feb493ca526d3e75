/** `socksmith reload`: asks a running server, by its control socket, to read everything again, and tells what it answers. */
import { loadConfig } from '../config/load.ts'
import { askControl } from '../control/control-socket.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import { say } from '../terminal/say.ts'

export interface ReloadFlags {
  readonly control?: string
  readonly config?: string
}

export async function reload(flags: ReloadFlags): Promise<Outcome<void>> {
  const path = await controlPath(flags)
  if (!path.ok) return path
  const answer = await askControl(path.value, { ask: 'reload' })
  if (!answer.ok) return trouble(EXIT.UNAVAILABLE, answer.trouble.message)
  if (!answer.value.ok) return trouble(EXIT.DATA, answer.value.message)
  say(answer.value.message)
  return done(undefined)
}

/** Of the server that the flags mean. */
export async function controlPath({ control, config }: ReloadFlags): Promise<Outcome<string>> {
  if (control !== undefined) return done(control)
  if (config === undefined)
    return trouble(EXIT.USAGE, 'which server? Say --control PATH, or --config FILE with the key control')
  const loaded = await loadConfig(config, { keys: {}, eachListener: {} })
  if (!loaded.ok) return loaded
  const path = loaded.value.control
  return path === undefined ? trouble(EXIT.DATA, `${config} names no control socket (control)`) : done(path)
}

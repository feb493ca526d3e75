/** Which running server is meant: the path of its control socket, by a flag or by its configuration. */
import { loadConfig } from '../config/load.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'

export interface ControlFlags {
  readonly control?: string
  readonly config?: string
}

export async function controlPath({ control, config }: ControlFlags): Promise<Outcome<string>> {
  if (control !== undefined) return done(control)
  if (config === undefined)
    return trouble(EXIT.USAGE, 'which server? Say --control PATH, or --config FILE with the key control')
  const loaded = await loadConfig(config, { keys: {}, eachListener: {} })
  if (!loaded.ok) return loaded
  const path = loaded.value.control
  return path === undefined ? trouble(EXIT.DATA, `${config} names no control socket (control)`) : done(path)
}

/** The flags that `serve` and `config show` share, and the configuration that they and a file give together. */
import { Option } from 'commander'
import type { Command } from 'commander'
import type { Config } from '../config/config.ts'
import { CONFIG_FLAGS, type ConfigFlag, RUN_GROUP, USERS_GROUP } from '../config/flags.ts'
import { type FlagValues, overridesOf } from '../config/from-flags.ts'
import { loadConfig } from '../config/load.ts'
import { EXIT, type Outcome, trouble } from '../exit.ts'
import { passwordFault } from '../users/password.ts'
import { Secret } from '../users/secret.ts'
import { userNameFault } from '../users/user-name.ts'

/** A user given on the command line. */
export interface QuickUser {
  readonly name: string
  readonly password: Secret
}

export interface EffectiveConfig {
  readonly config: Config
  readonly quickUsers: readonly QuickUser[]
  /** The file that was read, if any. */
  readonly file: string | undefined
}

/** Adds `--config`, `--user`, `--limit` and a flag for every key of the file. */
export function addConfigFlags(command: Command): Command {
  command.option('-c, --config <FILE>', 'configuration file, YAML or TOML; flags win over it')
  for (const flag of CONFIG_FLAGS) {
    command.addOption(optionOf(flag))
    // To say no to what the file says yes to.
    if (flag.kind === 'switch') command.addOption(new Option(`--no-${flag.name}`).hideHelp())
    if (flag.name === 'users')
      command.addOption(
        repeatable(
          '--user <NAME:PASSWORD>',
          'a user for a quick start; other users of this machine can see it; repeatable',
        ).helpGroup(USERS_GROUP),
      )
  }
  command.addOption(
    repeatable('--limit <NAME=VALUE>', 'change one limit, such as handshake=10s; repeatable').helpGroup(RUN_GROUP),
  )
  return command
}

function optionOf(flag: ConfigFlag): Option {
  const shown = flag.kind === 'switch' ? `--${flag.name}` : `--${flag.name} <${flag.value}>`
  const isList = flag.kind === 'list' || flag.kind === 'whole-list'
  const option = isList ? repeatable(shown, flag.description) : new Option(shown, flag.description)
  // Checked by the schema, which says it better; here for the completions of the shell.
  if (flag.choices !== undefined) option.argChoices = [...flag.choices]
  return option.helpGroup(flag.group)
}

function repeatable(shown: string, description: string): Option {
  return new Option(shown, description).argParser((value: string, before: readonly string[] | undefined) => [
    ...(before ?? []),
    value,
  ])
}

/** Reads the file that the flags name, and joins both. */
export async function effectiveConfig(command: Command): Promise<Outcome<EffectiveConfig>> {
  const values: FlagValues = Object.fromEntries(
    command.options.map(option => [
      option.name(),
      command.getOptionValue(option.attributeName()) as FlagValues[string],
    ]),
  )
  const quickUsers: QuickUser[] = []
  for (const text of (values['user'] as readonly string[] | undefined) ?? []) {
    const user = parseQuickUser(text)
    if (!user.ok) return user
    quickUsers.push(user.value)
  }
  const overrides = overridesOf(values)
  if (!overrides.ok) return overrides
  const file = values['config'] as string | undefined
  const config = await loadConfig(file, overrides.value)
  return config.ok ? { ok: true, value: { config: config.value, quickUsers, file } } : config
}

/** `NAME:PASSWORD`, parted at the first colon. The password is in no message. */
function parseQuickUser(text: string): Outcome<QuickUser> {
  const colon = text.indexOf(':')
  if (colon === -1) return trouble(EXIT.USAGE, '--user: expected NAME:PASSWORD')
  const name = text.slice(0, colon)
  const password = new Secret(text.slice(colon + 1))
  const fault = userNameFault(name) ?? passwordFault(password)
  return fault === undefined ? { ok: true, value: { name, password } } : trouble(EXIT.USAGE, `--user: ${fault}`)
}

/** `socksmith config`: check a file, show the schema, show what is in force. */
import type { Command } from 'commander'
import { stringify } from 'yaml'
import { selectEngine } from '@socksmith/engine'
import { compile } from '@socksmith/policy'
import { completeListeners } from '../config/effective.ts'
import { loadConfig } from '../config/load.ts'
import { placesOf, toServerOptions } from '../config/to-server-options.ts'
import { type Outcome, done } from '../exit.ts'
import { openConfiguredPolicy } from '../policy/open-policy.ts'
import { starredVia } from '../reach/via.ts'
import { authoritiesFault, engineFault, loopFault, parameterFault, permissionFault } from '../ways/fit.ts'
import { starredWays } from '../ways/way-text.ts'
import { print, say } from '../terminal/say.ts'
import { readUsersFile } from '../users/users-file.ts'
import { type EffectiveConfig, effectiveConfig } from './effective-config.ts'

/** Everything that `serve` would refuse before it listens. */
export async function checkConfigFile(file: string): Promise<Outcome<void>> {
  const config = await loadConfig(file, { keys: {}, eachListener: {} })
  if (!config.ok) return config
  const usersFile = config.value.users.file
  const users = usersFile === undefined ? done(new Map<string, unknown>()) : await readUsersFile(usersFile)
  if (!users.ok) return users
  const policy = await openConfiguredPolicy(config.value, file)
  if (!policy.ok) return policy
  const decider = compile(policy.value.policy, policy.value.options)
  const options = toServerOptions(config.value, usersFile !== undefined, say, decider)
  if (!options.ok) return options
  const { engine } = selectEngine(config.value.engine)
  const { ways } = config.value
  const fault =
    loopFault(ways, placesOf(config.value), config.value.dns) ??
    (engine && engineFault(ways, engine)) ??
    authoritiesFault(config.value.dns, ways) ??
    parameterFault(ways, config.value.users.template)
  if (fault !== undefined) return { ok: false, trouble: fault }
  print(`${file} is right`)
  // Who checks a file is often not who will serve it.
  const lacking = permissionFault(ways)
  if (lacking !== undefined) say(`note: ${lacking.message}`)
  if (usersFile !== undefined && users.value.size === 0)
    say(`note: ${usersFile} holds no user yet, so nobody can log in`)
  return done(undefined)
}

/** The JSON Schema of the file, as it is published in schema/socksmith.schema.json. */
export async function showSchema(): Promise<Outcome<void>> {
  print(await schemaText())
  return done(undefined)
}

/** The published text. */
export async function schemaText(): Promise<string> {
  const { configJsonSchema } = await import('../config/schema.ts')
  return `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`
}

/** The effective configuration as a file that could be used, secrets starred. */
export async function showConfig(command: Command): Promise<Outcome<void>> {
  const effective = await effectiveConfig(command)
  if (!effective.ok) return effective
  print(configText(effective.value))
  return done(undefined)
}

function configText({ config, quickUsers }: EffectiveConfig): string {
  const hasUsers = quickUsers.length > 0 || config.users.file !== undefined
  const users = quickUsers.map(({ name, password }) => `# --user ${name}:${password.toString()}\n`)
  return (
    users.join('') +
    stringify(
      {
        ...config,
        listen: completeListeners(config, hasUsers),
        via: config.via.map(starredVia),
        ways: starredWays(config.ways),
      },
      { lineWidth: 0, aliasDuplicateObjects: false },
    )
  )
}

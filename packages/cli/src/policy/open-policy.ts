/**
 * A policy with everything that it needs to be asked: from a file of its own, or from the server's configuration. Sets are
 * read from their files here.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Route } from '@socksmith/client/route'
import {
  type CompileOptions,
  DEFAULT_WAY,
  type Policy,
  type PolicySource,
  type ServerSetting,
  parseNetwork,
  readPolicy,
} from '@socksmith/policy'
import type { Config, WaysConfig } from '../config/config.ts'
import { explainProblems } from '../config/explain.ts'
import { type FileMark, fileMark } from '../config/file-mark.ts'
import { loadConfig } from '../config/load.ts'
import type { Path } from '../config/problem.ts'
import { type ConfigSource, readConfigFile } from '../config/read-file.ts'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'
import { routeOfVia } from '../reach/via.ts'
import { geoOf, readGeoFiles } from './geo.ts'
import { serverSetting } from './server-setting.ts'

export interface OpenPolicy {
  /** The file that holds the rules. */
  readonly file: string
  readonly policy: Policy
  /** The files of the sets, with what they looked like before they were read. */
  readonly setMarks: ReadonlyMap<string, FileMark>
  readonly options: CompileOptions
  /** MaxMind DB files, which `options.geo` looks into. */
  readonly geo: readonly Uint8Array[]
  /** The listeners of the configuration by the names that rules use; none for a policy of its own. */
  readonly listeners: readonly string[]
  /** Ways out of the configuration; none for a policy of its own. */
  readonly ways: WaysConfig
  /** By what everything without `via` goes; straight when absent. */
  readonly usual?: Route
  /** What the server of the configuration refuses by itself. */
  readonly setting: ServerSetting
  /** The configuration; none for a policy of its own. */
  readonly config?: Config
}

/** What it is asked in. */
type Standing = Pick<OpenPolicy, 'options' | 'geo' | 'ways' | 'usual' | 'setting' | 'config'>

const STANDING_ALONE: Standing = { options: {}, geo: [], ways: {}, setting: {} }

const NO_POLICY: Policy = { mode: 'enforce', rules: [], sets: [], limits: [], cases: [] }

/** The policy in a file: one of its own, or a server's configuration that has or names one. */
export async function openPolicyFile(path: string): Promise<Outcome<OpenPolicy>> {
  const source = await readConfigFile(path)
  if (!source.ok) return source
  if (!isConfiguration(source.value.value)) return policyIn(source.value, [], STANDING_ALONE, {})
  const config = await loadConfig(path, { keys: {}, eachListener: {} })
  return config.ok ? openConfiguredPolicy(config.value, path) : config
}

/** The policy of a server; without one, everything outside is allowed. `configFile` holds it when it stands inline. */
export async function openConfiguredPolicy(
  config: Config,
  configFile: string | undefined,
): Promise<Outcome<OpenPolicy>> {
  const geo = await readGeoFiles(config.geo)
  if (!geo.ok) return geo
  const open = networksOf(config.access['inside-open'])
  const from = config.access['inside-from']
  const inside = { open, ...(from && { from: networksOf(from) }) }
  const { ways, via } = config
  const usual = via.length > 0 ? routeOfVia(via) : undefined
  const standing: Standing = {
    options: { geo: geoOf(geo.value), inside },
    geo: geo.value,
    ways,
    ...(usual && { usual }),
    setting: serverSetting(config, usual),
    config,
  }
  const listeners = config.listen.map(one => (typeof one === 'string' ? one : (one.name ?? one.address)))
  const file = typeof config.policy === 'string' ? config.policy : configFile
  if (config.policy === undefined || file === undefined) {
    return done({ file: configFile ?? '', policy: NO_POLICY, setMarks: new Map(), ...standing, listeners })
  }
  const source = await readConfigFile(file)
  if (!source.ok) return source
  const inline = typeof config.policy !== 'string'
  const names = { listeners, routes: Object.keys(ways), ...(via.length > 0 && { defaultWay: DEFAULT_WAY }) }
  return policyIn(source.value, inline ? ['policy'] : [], standing, names)
}

function isConfiguration(value: unknown): boolean {
  return typeof value === 'object' && value !== null && ('policy' in value || 'listen' in value || 'users' in value)
}

function policyIn(
  source: ConfigSource,
  base: Path,
  standing: Standing,
  names: Pick<PolicySource, 'routes' | 'listeners' | 'defaultWay'>,
): Outcome<OpenPolicy> {
  const folder = dirname(source.path)
  const setMarks = new Map<string, FileMark>()
  const read = readPolicy(valueAt(source.value, base), {
    ...names,
    file: source.path,
    lineOf: path => source.locate({ path: [...base, ...path], at: 'value' }).line,
    readText(name) {
      const file = resolve(folder, name)
      setMarks.set(file, fileMark(file))
      try {
        return { text: readFileSync(file, 'utf8') }
      } catch (error) {
        return { fault: fileErrorText(error) }
      }
    },
  })
  if (read.ok) {
    return done({ file: source.path, policy: read.policy, setMarks, ...standing, listeners: names.listeners ?? [] })
  }
  const problems = read.problems.map(problem => ({ ...problem, path: [...base, ...problem.path] }))
  return trouble(EXIT.DATA, explainProblems(source, problems))
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value
  for (const key of path) at = (at as { readonly [key: string]: unknown } | undefined)?.[key]
  return at
}

function networksOf(texts: readonly string[]): readonly NonNullable<ReturnType<typeof parseNetwork>>[] {
  return texts.flatMap(text => parseNetwork(text) ?? [])
}

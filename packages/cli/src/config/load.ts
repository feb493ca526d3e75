/** From a file and flags to the one configuration: read, check, join (flags win), fill in the defaults. */
import { dirname, resolve } from 'node:path'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import type { Config } from './config.ts'
import { explainProblems, sentence } from './explain.ts'
import { type Overrides, type RawMap, flagOf } from './from-flags.ts'
import { readConfigFile } from './read-file.ts'

/** The effective configuration; every path in it is absolute. A trouble says what is wrong, and where. */
export async function loadConfig(file: string | undefined, overrides: Overrides): Promise<Outcome<Config>> {
  // The schema's library takes a tenth of a second to load, and is needed only here.
  const { checkConfig } = await import('./check.ts')
  let base: RawMap = {}
  if (file !== undefined) {
    const source = await readConfigFile(file)
    if (!source.ok) return source
    const checked = checkConfig(source.value.value)
    if (!checked.ok) return trouble(EXIT.DATA, explainProblems(source.value, checked.problems))
    base = withAbsolutePaths(source.value.value as RawMap, dirname(file))
  }
  const checked = checkConfig(joined(base, overrides))
  if (checked.ok) return done(checked.config)
  // The file alone was right, so the flags are not.
  const sentences = checked.problems.map(problem => {
    const flag = flagOf(problem, overrides)
    return problem.at === 'missing' ? `${flag} is needed too` : `${flag}: ${sentence(problem)}`
  })
  return trouble(EXIT.USAGE, [...new Set(sentences)].join('\n'))
}

function joined(base: RawMap, overrides: Overrides): RawMap {
  const here = process.cwd()
  const all = mergeMaps(base, withAbsolutePaths(overrides.keys, here))
  const each = withAbsoluteListener(overrides.eachListener, here)
  if (Object.keys(each).length === 0) return all
  const listen = (all['listen'] ?? ['127.0.0.1:1080']) as (string | RawMap)[]
  return { ...all, listen: listen.map(one => mergeMaps(typeof one === 'string' ? { address: one } : one, each)) }
}

function mergeMaps(base: RawMap, over: RawMap): RawMap {
  const merged: RawMap = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key]
    merged[key] = isMap(below) && isMap(value) ? mergeMaps(below, value) : value
  }
  return merged
}

function isMap(value: unknown): value is RawMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The same configuration with every path resolved against the folder it was written for. */
function withAbsolutePaths(raw: RawMap, folder: string): RawMap {
  const copy: RawMap = { ...raw }
  for (const key of ['policy', 'control', 'state'])
    if (typeof copy[key] === 'string') copy[key] = resolve(folder, copy[key])
  if (Array.isArray(copy['geo']))
    copy['geo'] = copy['geo'].map(file => (typeof file === 'string' ? resolve(folder, file) : file))
  for (const key of ['users', 'log']) if (isMap(copy[key])) copy[key] = withAbsolute(copy[key], ['file'], folder)
  if (isMap(copy['dns'])) copy['dns'] = withAbsolute(copy['dns'], ['ca'], folder)
  if (isMap(copy['ways'])) {
    copy['ways'] = Object.fromEntries(
      Object.entries(copy['ways']).map(([name, way]) => [name, withAbsoluteDns(way, folder)]),
    )
  }
  const listen = copy['listen']
  if (Array.isArray(listen)) {
    copy['listen'] = listen.map(one => (isMap(one) ? withAbsoluteListener(one, folder) : absolutePlace(one, folder)))
  }
  return copy
}

function withAbsoluteDns(way: unknown, folder: string): unknown {
  return isMap(way) && isMap(way['dns']) ? { ...way, dns: withAbsolute(way['dns'], ['ca'], folder) } : way
}

function withAbsoluteListener(listener: RawMap, folder: string): RawMap {
  const copy: RawMap = { ...listener }
  if ('address' in copy) copy['address'] = absolutePlace(copy['address'], folder)
  if (isMap(copy['tls'])) copy['tls'] = withAbsolute(copy['tls'], ['certificate', 'key', 'client-ca'], folder)
  return copy
}

function withAbsolute(map: RawMap, keys: readonly string[], folder: string): RawMap {
  const copy: RawMap = { ...map }
  for (const key of keys) if (typeof copy[key] === 'string') copy[key] = resolve(folder, copy[key])
  return copy
}

function absolutePlace(place: unknown, folder: string): unknown {
  const isPath = typeof place === 'string' && place.startsWith('unix:') && place !== 'unix:'
  return isPath ? `unix:${resolve(folder, place.slice('unix:'.length))}` : place
}

/**
 * Checks a raw configuration against the schema, and turns the schema library's findings into problems with the word
 * that was probably meant. Imports zod through the schema: load it lazily. Knows no file.
 */
import type { z } from 'zod'
import type { Config } from './config.ts'
import { nearest } from '@socksmith/policy'
import type { Path, Problem } from './problem.ts'
import { type JsonSchema, configJsonSchema, configSchema } from './schema.ts'

type Issue = z.core.$ZodIssue

export type Checked =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** The configuration with its defaults, or everything that is wrong with it. */
export function checkConfig(raw: unknown): Checked {
  const result = configSchema().safeParse(raw)
  if (result.success) return { ok: true, config: result.data }
  const problems = result.error.issues.flatMap(issue => problemsOf(issue, [], raw))
  return { ok: false, problems: problems.filter(problem => !isMisspelt(problem, problems)) }
}

/** A key that is missing only because it stands there misspelt, which is told already. */
function isMisspelt(problem: Problem, all: readonly Problem[]): boolean {
  if (problem.at !== 'missing') return false
  const parent = pathText(problem.path.slice(0, -1))
  return all.some(one => one.suggestion === problem.path.at(-1) && pathText(one.path.slice(0, -1)) === parent)
}

function problemsOf(issue: Issue, base: Path, raw: unknown): readonly Problem[] {
  const path: Path = [...base, ...(issue.path as (string | number)[])]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map(key => unknownKey(path, key))
    case 'invalid_union':
      return unionProblems(issue, path, raw)
    case 'invalid_value': {
      const values = issue.values.map(String)
      const given = valueAt(raw, path)
      return [
        problem(path, `expected ${inWords(values)}`, typeof given === 'string' ? nearest(given, values) : undefined),
      ]
    }
    case 'invalid_type':
      if (valueAt(raw, path) !== undefined) return [problem(path, expectedType(issue))]
      return [{ path, at: 'missing', message: `the key "${path.at(-1)}" is missing here` }]
    case 'too_small':
      return [problem(path, issue.origin === 'array' ? 'expected at least one' : `expected at least ${issue.minimum}`)]
    case 'too_big':
      return [problem(path, `expected at most ${issue.maximum}`)]
    default:
      return [problem(path, issue.message)]
  }
}

/** An element of a union that was meant is told by its kind: a map with faults inside is explained as a map. */
function unionProblems(issue: Issue & { code: 'invalid_union' }, path: Path, raw: unknown): readonly Problem[] {
  const branch = issue.errors.find(errors => !errors.some(isOfAnotherKind))
  const given = valueAt(raw, path)
  if (branch === undefined || typeof given !== 'object') return [problem(path, issue.message)]
  return branch.flatMap(one => problemsOf(one, path, raw))
}

/** Says that the value as a whole is not what is described, such as a map that is no text and none of these words. */
function isOfAnotherKind({ code, path }: Issue): boolean {
  return path.length === 0 && (code === 'invalid_type' || code === 'invalid_value')
}

function expectedType(issue: Issue & { code: 'invalid_type' }): string {
  if (issue.message.startsWith('expected')) return issue.message
  return `expected ${TYPE_WORDS[issue.expected] ?? issue.expected}`
}

const TYPE_WORDS: { readonly [type: string]: string } = {
  object: 'a map of keys',
  array: 'a list',
  boolean: 'true or false',
  string: 'a text',
  int: 'a whole number',
}

function unknownKey(parent: Path, key: string): Problem {
  const known = keysAt(configJsonSchema(), parent)
  const suggestion = nearest(key, known)
  const where = parent.length === 0 ? '' : ` in ${pathText(parent)}`
  const message = `unknown key "${key}"${where}; ${suggestion === undefined ? `the keys here are ${known.join(', ')}` : ''}`
  return {
    path: [...parent, key],
    at: 'key',
    message: message.replace(/; $/, ''),
    ...(suggestion === undefined ? {} : { suggestion }),
  }
}

function problem(path: Path, message: string, suggestion?: string): Problem {
  return suggestion === undefined ? { path, at: 'value', message } : { path, at: 'value', message, suggestion }
}

/** A path as people say it: `listen[0].tls`. */
export function pathText(path: Path): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('')
}

function inWords(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

function valueAt(raw: unknown, path: Path): unknown {
  let value = raw
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as { [key: string]: unknown })[part]
  }
  return value
}

/** The keys that the schema knows at a path. */
function keysAt(schema: JsonSchema, path: Path): readonly string[] {
  const [part, ...rest] = path
  const forms = [schema, ...(schema.anyOf ?? [])]
  if (part === undefined) return forms.flatMap(form => Object.keys(form.properties ?? {}))
  return forms.flatMap(form => {
    const { additionalProperties: any } = form
    const named = typeof any === 'object' ? any : undefined
    const next = typeof part === 'number' ? form.items : (form.properties?.[part] ?? named)
    return next === undefined ? [] : keysAt(next, rest)
  })
}

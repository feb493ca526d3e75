/** Reads a configuration file, YAML (JSON is YAML) or TOML by its name, and can say where in it each value stands. */
import { readFile } from 'node:fs/promises'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'
import { explainAt } from './explain.ts'
import type { Position, Problem } from './problem.ts'

/** A configuration file that was read, before any check of its words. */
export interface ConfigSource {
  readonly path: string
  readonly text: string
  readonly value: unknown
  /** Where the key or the value of a problem stands; for what is missing, where its parent stands. */
  locate(problem: Pick<Problem, 'path' | 'at'>): Position
}

/** What a format's reader answers: the value and a way to find its parts, or what is wrong and where. */
export type Parsed =
  | { readonly ok: true; readonly value: unknown; readonly locate: ConfigSource['locate'] }
  | { readonly ok: false; readonly message: string; readonly position: Position }

/** The file at `path`; a trouble when it is missing or is not YAML or TOML. */
export async function readConfigFile(path: string): Promise<Outcome<ConfigSource>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    return trouble(EXIT.NO_INPUT, `cannot read the configuration ${path}: ${fileErrorText(error)}`)
  }
  if (text.startsWith('\uFEFF')) text = text.slice(1)
  const parsed = await parse(path, text)
  if (!parsed.ok) return trouble(EXIT.DATA, explainAt({ path, text }, parsed.position, parsed.message))
  const value = parsed.value ?? {}
  return done({ path, text, value, locate: parsed.locate })
}

// A parser takes megabytes that a running server would keep: only the one that is needed is loaded.
async function parse(path: string, text: string): Promise<Parsed> {
  if (path.endsWith('.toml')) return (await import('./toml-source.ts')).readToml(text)
  return (await import('./yaml-source.ts')).readYaml(text)
}

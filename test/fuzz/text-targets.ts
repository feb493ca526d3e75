/** The parsers of what people write, configuration and policy, as targets: any text has an answer that names its place. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { compile, lint, readPolicy } from '@socksmith/policy'
import { latin1Octets } from '@socksmith/protocol'
import { checkConfig } from '../../packages/cli/src/config/check.ts'
import { explainProblems } from '../../packages/cli/src/config/explain.ts'
import type { Parsed } from '../../packages/cli/src/config/read-file.ts'
import { readToml } from '../../packages/cli/src/config/toml-source.ts'
import { readYaml } from '../../packages/cli/src/config/yaml-source.ts'
import type { Target } from './fuzz.ts'

const NOW_MS = 1_893_456_000_000

const DECODER = new TextDecoder()

export const TEXT_TARGETS: readonly Target[] = [
  textTarget('config-yaml', 'yaml', ['config', 'serve', 'logs', 'users'], text => checkFile(text, readYaml(text))),
  textTarget('config-toml', 'toml', ['config', 'serve', 'logs', 'users'], text => checkFile(text, readToml(text))),
  textTarget('policy', 'yaml', ['policy', 'policy-examples'], text => checkPolicy(text, readYaml(text))),
]

function textTarget(name: string, language: string, pages: readonly string[], check: (text: string) => void): Target {
  const examples = pages.flatMap(page => examplesOf(page, language))
  const words = new Set(examples.join('\n').match(/[A-Za-z0-9./:-]{2,}|\n *|[[\]{}&*!|>"']/g))
  return {
    name,
    seeds: ['', ...examples].map(latin1Octets),
    words: [...words, '- ', ': ', '\n', '[[', ']]', '<<: *a', '&a ', '!!binary '].map(latin1Octets),
    check: input => check(DECODER.decode(input)),
  }
}

/** The code blocks of a page of the documentation: they are what people begin with. */
function examplesOf(page: string, language: string): readonly string[] {
  const text = readFileSync(new URL(`../../docs/${page}.md`, import.meta.url), 'latin1')
  return [...text.matchAll(/```(\w+)\n(.*?)```/gs)].flatMap(([, of, code = '']) => (of === language ? [code] : []))
}

function checkFile(text: string, parsed: Parsed): void {
  const source = rulesOfParsed(text, parsed)
  if (source === undefined) return
  const checked = checkConfig(source.value ?? {})
  if (checked.ok) return
  assert.ok(checked.problems.length > 0, 'wrong, and no problem')
  for (const problem of checked.problems) checkPosition(text, source.locate(problem))
  assert.ok(explainProblems({ path: 'f', text, ...source }, checked.problems).length > 0)
}

function checkPolicy(text: string, parsed: Parsed): void {
  const source = rulesOfParsed(text, parsed)
  if (source === undefined) return
  const read = readPolicy(source.value, {
    file: 'policy.yaml',
    lineOf: path => source.locate({ path, at: 'value' }).line,
    readText: () => ({ text: '10.0.0.0/8\nexample.com\n' }),
  })
  if (!read.ok) return assert.ok(read.problems.length > 0, 'wrong, and no problem')
  lint(read.policy, NOW_MS)
  compile(read.policy)
}

type Source = Extract<Parsed, { ok: true }>

function rulesOfParsed(text: string, parsed: Parsed): Source | undefined {
  if (parsed.ok) return parsed
  assert.ok(parsed.message.length > 0)
  checkPosition(text, parsed.position)
  return undefined
}

function checkPosition(text: string, { line, column, length }: { line: number; column: number; length: number }): void {
  const lines = text.split('\n').length
  assert.ok(line >= 1 && line <= lines && column >= 1 && length >= 1, `line ${line} of ${lines}, column ${column}`)
}

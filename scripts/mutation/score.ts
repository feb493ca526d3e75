/** What a run of Stryker comes to: a score for each folder, and the mutants that nothing noticed. */
import { readFileSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import type { MutantResult } from '@stryker-mutator/api/core'

interface Score {
  /** Noticed by a failing test, or because the tests did not end. */
  readonly noticed: number
  readonly survived: number
  /** No test reaches them. */
  readonly unreached: number
  /** Taken out by a comment in the source, with its reason. */
  readonly ignored: number
  /** Noticed, of all that count: from 0 to 100. */
  readonly percent: number
}

export function scoreOf(mutants: readonly MutantResult[]): Score {
  const count = (...statuses: readonly MutantResult['status'][]): number =>
    mutants.filter(({ status }) => statuses.includes(status)).length
  const noticed = count('Killed', 'Timeout')
  const survived = count('Survived')
  const unreached = count('NoCoverage')
  const all = noticed + survived + unreached
  const percent = all === 0 ? 100 : (100 * noticed) / all
  return { noticed, survived, unreached, ignored: count('Ignored'), percent }
}

/** A table in Markdown, one row for each folder, and the sum. */
export function tableOf(mutants: readonly MutantResult[]): string {
  const byFolder = Map.groupBy(mutants, ({ fileName }) => dirname(relative(process.cwd(), fileName)))
  const rows = [...byFolder].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, some]) => rowOf(name, some))
  return [
    '| folder | noticed | survived | unreached | ignored | score |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    rowOf('all', mutants),
  ].join('\n')
}

function rowOf(name: string, mutants: readonly MutantResult[]): string {
  const { noticed, survived, unreached, ignored, percent } = scoreOf(mutants)
  return `| ${name} | ${noticed} | ${survived} | ${unreached} | ${ignored} | ${percent.toFixed(1)} % |`
}

export function isUnnoticed({ status }: MutantResult): boolean {
  return status === 'Survived' || status === 'NoCoverage'
}

/** Where it is, what stood there, and what stood there instead. */
export function lineOf({ fileName, location, mutatorName, replacement, status }: MutantResult): string {
  const lines = readFileSync(fileName, 'utf8').split('\n')
  const { start, end } = location
  const first = lines[start.line - 1] ?? ''
  const was =
    start.line === end.line ? first.slice(start.column - 1, end.column - 1) : `${first.slice(start.column - 1)}...`
  const where = `${relative(process.cwd(), fileName)}:${start.line}:${start.column}`
  const how = status === 'NoCoverage' ? ' (unreached)' : ''
  return `${where} ${mutatorName}${how}: ${shortened(was)}  ->  ${shortened(replacement)}`
}

function shortened(text: string): string {
  const line = text.replaceAll(/\s+/gu, ' ')
  return line.length > 90 ? `${line.slice(0, 87)}...` : line
}

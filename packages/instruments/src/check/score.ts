/** Counts results: by area, and what a program is to be told. Pure. */
import { AREAS, type Area, type CaseResult, LEVELS, type Level } from './case.ts'

export interface Score {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** Of all the results given. */
export function scoreOf(results: readonly CaseResult[]): Score {
  const count = (kind: CaseResult['outcome']['kind']): number =>
    results.filter(({ outcome }) => outcome.kind === kind).length
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') }
}

/** The areas that have results, in the order of the table. */
export function byArea(
  results: readonly CaseResult[],
): readonly { readonly area: Area; readonly results: readonly CaseResult[] }[] {
  return (Object.keys(AREAS) as Area[])
    .map(area => ({ area, results: results.filter(result => result.case.area === area) }))
    .filter(group => group.results.length > 0)
}

/** How many cases of each level failed. */
export function failuresByLevel(results: readonly CaseResult[]): Readonly<Record<Level, number>> {
  const failed = results.filter(({ outcome }) => outcome.kind === 'fail')
  const counts = LEVELS.map(level => [level, failed.filter(result => result.case.level === level).length])
  return Object.fromEntries(counts) as Record<Level, number>
}

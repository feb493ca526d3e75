/**
 * What became of recorded failures: whether the case of each fails again, by what a new check of it found. The octets alone
 * do not tell: a case may also judge what reached its targets. Runs nothing.
 */
import type { Case, CaseResult } from './case.ts'
import { CASES, isChosen } from './catalogue.ts'
import type { RecordedCase } from './report/json.ts'

export type Verdict =
  | { readonly kind: 'fails'; readonly expected: string; readonly got: string }
  | { readonly kind: 'passes' }
  /** A sentence that says why it could not be asked. */
  | { readonly kind: 'not-asked'; readonly reason: string }

/**
 * Those of the recorded failures that any of the words chooses, as `--only` has it; those of cases that this
 * version does not know, by what the report says of them.
 */
export function chooseFailures(failures: readonly RecordedCase[], words: readonly string[]): readonly RecordedCase[] {
  if (words.length === 0) return failures
  return failures.filter(one => {
    const about = CASES.find(({ id }) => id === one.case.id) ?? one.case
    return words.some(word => isChosen(about, word))
  })
}

/** The cases of recorded failures; those of ids that this version does not know are missing. */
export function casesOf(failures: readonly RecordedCase[]): readonly Case[] {
  const ids = new Set(failures.map(one => one.case.id))
  return CASES.filter(({ id }) => ids.has(id))
}

/** Whether a recorded failure is still there. `results` are those of a new check of {@link casesOf}. */
export function verdictOn(recorded: RecordedCase, results: readonly CaseResult[]): Verdict {
  const result = results.find(one => one.case.id === recorded.case.id)
  switch (result?.outcome.kind) {
    case undefined:
      return { kind: 'not-asked', reason: 'this version has no such case' }
    case 'fail':
      return { kind: 'fails', expected: result.outcome.expected, got: result.outcome.got }
    case 'pass':
      return { kind: 'passes' }
    case 'skip':
      return { kind: 'not-asked', reason: result.outcome.reason }
  }
}

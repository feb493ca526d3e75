/** What became of recorded failures, as lines for a person. Prints nothing. */
import type { Verdict } from '@socksmith/instruments'
import type { Paint } from '../terminal/colour.ts'
import { visible } from '../terminal/visible.ts'
import { hanging } from '../terminal/width.ts'
import { findingLines } from './finding.ts'

/** Whether one failure is still there. */
export function verdictLines(verdict: Verdict, paint: Paint, width: number): readonly string[] {
  switch (verdict.kind) {
    case 'fails':
      return [`     ${paint('yellow', 'it still fails')}`, ...findingLines(verdict, paint, width)]
    case 'passes':
      return [`     ${paint('green', 'it passes now')}`]
    case 'not-asked':
      return [hanging('     ', [paint('yellow', `it was not asked again: ${visible(verdict.reason)}`)], width)]
  }
}

/** `2 of 8 still fail, 6 pass now`. */
export function verdictsText(verdicts: readonly Verdict[]): string {
  const count = (kind: Verdict['kind']): number => verdicts.filter(one => one.kind === kind).length
  const left = count('not-asked')
  const start = `${count('fails')} of ${verdicts.length} still fail, ${count('passes')} pass now`
  return left === 0 ? start : `${start}, ${left} not asked again`
}

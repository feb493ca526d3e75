/** What conditions ask, wherever it stands in them. Knows no rule. */
import type { Condition, Test } from './policy.ts'

/** Every test of some conditions. */
export function testsOf(conditions: readonly Condition[]): readonly Test[] {
  return conditions.flatMap((condition): readonly Test[] => {
    switch (condition.kind) {
      case 'everything':
        return []
      case 'not':
        return testsOf([condition.of])
      case 'all':
      case 'any':
        return testsOf(condition.of)
      default:
        return [condition]
    }
  })
}

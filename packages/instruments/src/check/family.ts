/** Makes the cases of one file: what they have in common is said once. Knows no case. */
import type { Need } from './ability.ts'
import type { Area, Case } from './case.ts'

export interface Family {
  /** What stands before the number: `S5-REQ`. */
  readonly prefix: string
  readonly area: Area
  /** What all of them need. */
  readonly needs: readonly Need[]
}

export type About = Pick<Case, 'title' | 'clause' | 'level' | 'why' | 'isSlow'> & { readonly needs?: readonly Need[] }

/** A maker of cases: number (never given twice), what it is about, how it is asked. */
export function family({ prefix, area, needs }: Family): (number: number, about: About, run: Case['run']) => Case {
  return (number, about, run) => ({
    ...about,
    id: `${prefix}-${String(number).padStart(2, '0')}`,
    area,
    needs: [...needs, ...(about.needs ?? [])],
    run,
  })
}

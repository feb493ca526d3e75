/** One thing wrong with a policy, and where. Knows no file format. */

export type Path = readonly (string | number)[]

/** What is wrong at one path of a policy. */
export interface Problem {
  readonly path: Path
  /** Whether the key itself is at fault, or its value, or that it is not there. */
  readonly at: 'key' | 'value' | 'missing'
  /** What was expected, in a few words. */
  readonly message: string
  /** The word that was probably meant. */
  readonly suggestion?: string
}

/** The line of a file, from 1. */
export interface SourcePlace {
  readonly file: string
  readonly line: number
}

/** One thing wrong with a configuration, and where. Knows no file format. */

export type Path = readonly (string | number)[]

/** What is wrong at one path of a configuration. */
export interface Problem {
  readonly path: Path
  /** Whether the key itself is at fault, or its value, or that it is not there. */
  readonly at: 'key' | 'value' | 'missing'
  /** What was expected, in a few words. */
  readonly message: string
  /** The word that was probably meant. */
  readonly suggestion?: string
}

/** A stretch of a text: both from 1, the column in UTF-16 units as editors count. */
export interface Position {
  readonly line: number
  readonly column: number
  /** How many characters to underline; at least 1. */
  readonly length: number
}

/**
 * What a probe throws when the server does not behave: it ends the dialogue at its first wrong step, so that a case
 * reads as the dialogue that it is. Only the runner catches it. Knows nothing else.
 */

/** The server did not do what the case expects. Both texts are for people and hold no secret. */
export class Finding extends Error {
  readonly expected: string
  readonly got: string

  constructor(expected: string, got: string) {
    super(`expected ${expected}, got ${got}`)
    this.expected = expected
    this.got = got
  }
}

/** Ends the case with a finding unless `holds`. */
export function expectThat(holds: boolean, expected: string, got: string): asserts holds {
  if (!holds) throw new Finding(expected, got)
}

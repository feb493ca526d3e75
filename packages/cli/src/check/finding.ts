/** What was expected of a server and what it did, as lines for a person. Prints nothing. */
import type { Paint } from '../terminal/colour.ts'
import { visible } from '../terminal/visible.ts'
import { hanging } from '../terminal/width.ts'

export function findingLines(
  { expected, got }: { readonly expected: string; readonly got: string },
  paint: Paint,
  width: number,
): readonly string[] {
  return [
    hanging('     expected  ', [visible(expected)], width),
    hanging('     got       ', [paint('red', visible(got))], width),
  ]
}

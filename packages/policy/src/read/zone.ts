/** The zone by whose clock times are meant. */
import type { Path } from '../problem.ts'
import { isZone } from '../schedule.ts'
import type { Notes } from './source.ts'

/** The name of a zone; UTC in place of one that is wrong, which is noted. */
export function readZone(value: unknown, path: Path, notes: Notes): string {
  const zone = notes.textAt(value, path, 'expected a zone such as Europe/Berlin')
  if (zone === undefined || isZone(zone)) return zone ?? 'UTC'
  return notes.wrong(path, 'expected a zone such as Europe/Berlin or UTC') ?? 'UTC'
}

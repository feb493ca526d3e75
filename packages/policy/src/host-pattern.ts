/** Host names in rules: `host.example`, `*.example` (everything below) and `.example` (it and everything below). */
import { plainName } from './facts.ts'

export interface HostPattern {
  /** In plain form, without star and leading dot. */
  readonly name: string
  readonly itself: boolean
  readonly below: boolean
}

/** RFC 1035 section 2.3.4. */
const NAME_OCTETS_MAX = 253
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/

/** The pattern that the text writes; `undefined` when it is none. Names that are not ASCII are not taken. */
export function parseHostPattern(text: string): HostPattern | undefined {
  const below = text.startsWith('*.') || text.startsWith('.')
  const itself = !text.startsWith('*.')
  const name = plainName(text.replace(/^\*?\./, ''))
  if (name.length > NAME_OCTETS_MAX || !name.split('.').every(label => LABEL.test(label))) return undefined
  // A last label of digits only is a mistyped address, never a name (RFC 3696 section 2).
  return /(^|\.)[0-9]+$/.test(name) ? undefined : { name, itself, below }
}

/** Whether a name in plain form matches. */
export function hostMatches(pattern: HostPattern, name: string): boolean {
  if (name === pattern.name) return pattern.itself
  return pattern.below && name.endsWith(pattern.name) && name[name.length - pattern.name.length - 1] === '.'
}

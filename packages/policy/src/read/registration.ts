/** Where an address is registered: the words for a country and for an autonomous system. */
import type { Path } from '../problem.ts'
import type { Notes } from './source.ts'

/** `DE`, from `DE` or `de`. */
export function readCountry(text: string, path: Path, notes: Notes): string | undefined {
  if (/^[A-Za-z]{2}$/.test(text)) return text.toUpperCase()
  return notes.wrong(path, 'expected countries of two letters such as DE')
}

/** `64496`, from `64496` or `AS64496`. */
export function readAsn(text: string, path: Path, notes: Notes): string | undefined {
  const match = /^(?:AS)?(0|[1-9][0-9]{0,9})$/i.exec(text)
  return match?.[1] ?? notes.wrong(path, 'expected numbers of autonomous systems such as 64496')
}

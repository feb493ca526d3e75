/** Going on with a download that was cut off (RFC 9110 section 14): what to ask for, and what the answer means. Does no I/O. */

/** What is here already. */
export interface Partial {
  readonly octets: number
  /** When the file was last written, in milliseconds since 1970. */
  readonly writtenMs: number
}

/** What to do with the answer to a request for the rest. */
export type Continuation =
  /** The rest comes: append it. */
  | { readonly kind: 'append'; readonly total?: number }
  /** All of it comes, from the beginning. */
  | { readonly kind: 'whole' }
  /** Nothing is missing. */
  | { readonly kind: 'complete' }
  /** What is here is not the beginning of what is there now: ask again for all of it. */
  | { readonly kind: 'changed' }

/** The header that asks for the rest. */
export function rangeHeader({ octets }: Partial): string {
  return `bytes=${octets}-`
}

/** Reads the answer; `undefined` for one that is an error by itself. */
export function continuationOf(
  { status, headers }: Pick<Response, 'status' | 'headers'>,
  partial: Partial,
): Continuation | undefined {
  if (status === 200) return { kind: 'whole' }
  const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(headers.get('content-range') ?? '')
  const total = range?.[2] === undefined || range[2] === '*' ? undefined : Number(range[2])
  // Section 15.5.17: there is nothing behind our last octet, because it is the last, or because it has become shorter.
  if (status === 416) return { kind: total === partial.octets ? 'complete' : 'changed' }
  if (status !== 206) return undefined
  if (range?.[1] === undefined || Number(range[1]) !== partial.octets) return { kind: 'changed' }
  const modifiedMs = Date.parse(headers.get('last-modified') ?? '')
  // It was changed after our part was written.
  if (modifiedMs > partial.writtenMs) return { kind: 'changed' }
  return { kind: 'append', ...(total !== undefined && { total }) }
}

/** What may stand as a host name in a request (spec: 253 octets, labels of 63, no octet that another parser could read otherwise). */
import { parseIp } from './address.ts'
import type { MalformedCode } from './failure.ts'
import { latin1Octets, utf8Octets, utf8Text } from './text.ts'

/** RFC 1035 section 2.3.4: the longest name in text form, without its final dot. */
export const NAME_OCTETS_MAX = 253
/** RFC 1035 section 2.3.4. */
export const LABEL_OCTETS_MAX = 63

// Octets that a resolver, a URL parser or a log could read as something else: NUL is told apart because C stops there.
const FORBIDDEN = new Set(latin1Octets('/\\@#?%[]:'))

/** A checked name, or the code of what is wrong with it. */
export type NameCheck =
  | { readonly ok: true; readonly name: string }
  | { readonly ok: false; readonly code: MalformedCode }

/**
 * Checks the octets of a name field. An IP literal passes as it is; one trailing dot is accepted; UTF-8 is accepted
 * and left for the resolver to turn into IDNA form.
 */
export function checkName(octets: Uint8Array): NameCheck {
  const text = utf8Text(octets)
  if (text !== undefined && parseIp(text) !== undefined) return { ok: true, name: text }
  const code = faultOf(octets, text)
  return code === undefined ? { ok: true, name: text as string } : { ok: false, code }
}

/** As {@link checkName}, for a name given as text. */
export function checkNameText(name: string): NameCheck {
  return checkName(utf8Octets(name))
}

/** The form in which names are compared: lower case, without a final dot. */
export function comparableName(name: string): string {
  const lower = name.toLowerCase()
  return lower.endsWith('.') ? lower.slice(0, -1) : lower
}

function faultOf(octets: Uint8Array, text: string | undefined): MalformedCode | undefined {
  const length = octets.at(-1) === 0x2e ? octets.length - 1 : octets.length
  if (length === 0) return 'empty_name'
  if (octets.includes(0)) return 'name_has_nul'
  if (text === undefined) return 'name_bad_char'
  for (const octet of octets) if (octet <= 0x20 || octet === 0x7f || FORBIDDEN.has(octet)) return 'name_bad_char'
  if (length > NAME_OCTETS_MAX) return 'name_too_long'
  return labelFault(octets.subarray(0, length))
}

function labelFault(octets: Uint8Array): MalformedCode | undefined {
  let start = 0
  for (let i = 0; i <= octets.length; i++) {
    if (i < octets.length && octets[i] !== 0x2e) continue
    if (i === start) return 'name_bad_char'
    if (i - start > LABEL_OCTETS_MAX) return 'name_too_long'
    start = i + 1
  }
  return undefined
}

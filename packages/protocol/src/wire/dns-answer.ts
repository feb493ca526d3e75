/**
 * As much of DNS (RFC 1035) as an answer with a fake address needs: one question, address records for its own name.
 * Knows no pool and no resolver.
 */
import { type Malformed, type Whole, malformed, whole } from '../decoded.ts'
import type { MalformedCode } from '../failure.ts'
import { LABEL_OCTETS_MAX, checkName } from '../name.ts'
import { concat, octetAt, uint16, uint16At, uint32, uint32At } from '../octets.ts'
import { utf8Octets } from '../text.ts'
import { withLength16, withLength8 } from './length-prefix.ts'

export const DNS_TYPE = { a: 1, ptr: 12, aaaa: 28, svcb: 64, https: 65 } as const
/** RD set. */
export const DNS_FLAGS_QUERY = 0x0100
/** Response, RD, RA, NOERROR. */
export const DNS_FLAGS_ANSWER = 0x8180

export interface DnsQuestion {
  /** Without the final dot. */
  readonly name: string
  readonly type: number
}

/** One record of the answer section, about any name. */
export interface DnsRecord {
  readonly type: number
  /** Seconds. */
  readonly ttl: number
  readonly data: Uint8Array
}

export interface DnsMessage {
  readonly id: number
  readonly flags: number
  readonly question: DnsQuestion
  readonly answers: readonly DnsRecord[]
}

const HEADER_OCTETS = 12
const CLASS_IN = 1
/** RFC 1035 section 4.1.4: a pointer to the name at offset 12, the question's. */
const POINTER_TO_QUESTION = 0xc00c

/** Reads one datagram. Authority and additional records (EDNS) are skipped, so that all octets count as consumed. */
export function decodeDnsMessage(octets: Uint8Array): Whole<DnsMessage> | Malformed {
  if (octets.length < HEADER_OCTETS) return bad('truncated')
  // More than one question has no answer in practice (RFC 9619).
  if (uint16At(octets, 4) !== 1) return bad('bad_parameters', `${uint16At(octets, 4)} questions`)
  const name = readName(octets, HEADER_OCTETS)
  if (name.kind !== 'whole') return name
  const questionEnd = HEADER_OCTETS + name.consumed + 4
  if (octets.length < questionEnd) return bad('truncated')
  if (uint16At(octets, questionEnd - 2) !== CLASS_IN) return bad('bad_parameters', 'the class is not IN')
  const question = { name: name.value, type: uint16At(octets, questionEnd - 4) }
  const answers = readRecords(octets, questionEnd, uint16At(octets, 6))
  if ('kind' in answers) return answers
  return whole({ id: uint16At(octets, 0), flags: uint16At(octets, 2), question, answers }, octets.length)
}

/** Throws a RangeError for a label above 63 octets or data above 65,535. */
export function encodeDnsMessage(message: DnsMessage): Uint8Array {
  const { id, flags, question, answers } = message
  const header = [...uint16(id), ...uint16(flags), 0, 1, ...uint16(answers.length), 0, 0, 0, 0]
  const asked = [writeName(question.name), Uint8Array.of(...uint16(question.type), ...uint16(CLASS_IN))]
  const records = answers.map(({ type, ttl, data }) => {
    const front = [...uint16(POINTER_TO_QUESTION), ...uint16(type), ...uint16(CLASS_IN), ...uint32(ttl)]
    return concat([Uint8Array.from(front), withLength16(data)])
  })
  return concat([Uint8Array.from(header), ...asked, ...records])
}

/** A query as stub resolvers send it. */
export function encodeDnsQuery(id: number, question: DnsQuestion): Uint8Array {
  return encodeDnsMessage({ id, flags: DNS_FLAGS_QUERY, question, answers: [] })
}

/** The answer to a query. No addresses make NOERROR without answers: the name exists and has none of this kind. */
export function encodeDnsAnswer(query: DnsMessage, addresses: readonly Uint8Array[], ttl: number): Uint8Array {
  const { id, question } = query
  const answers = addresses.map(data => ({ type: question.type, ttl, data }))
  return encodeDnsMessage({ id, flags: DNS_FLAGS_ANSWER, question, answers })
}

function readRecords(octets: Uint8Array, start: number, count: number): readonly DnsRecord[] | Malformed {
  const records: DnsRecord[] = []
  let at = start
  while (records.length < count) {
    const nameEnd = skipName(octets, at)
    if (nameEnd === undefined || octets.length < nameEnd + 10) return bad('truncated')
    const dataAt = nameEnd + 10
    const end = dataAt + uint16At(octets, nameEnd + 8)
    if (octets.length < end) return bad('truncated')
    records.push({
      type: uint16At(octets, nameEnd),
      ttl: uint32At(octets, nameEnd + 4),
      data: octets.slice(dataAt, end),
    })
    at = end
  }
  return records
}

// The question stands first: there is nothing before it that a pointer could mean.
function readName(octets: Uint8Array, start: number): Whole<string> | Malformed {
  const labels: Uint8Array[] = []
  let at = start
  for (;;) {
    const length = octets[at]
    if (length === undefined) return bad('truncated')
    if (length === 0) break
    if (length > LABEL_OCTETS_MAX) return bad('bad_syntax', 'a label of an unknown kind')
    const label = octets.subarray(at + 1, at + 1 + length)
    if (label.length < length) return bad('truncated')
    if (label.includes(DOT)) return bad('name_bad_char', 'a dot in a label')
    if (labels.length > 0) labels.push(Uint8Array.of(DOT))
    labels.push(label)
    at += 1 + length
  }
  const name = checkName(concat(labels))
  return name.ok ? whole(name.name, at + 1 - start) : bad(name.code)
}

const DOT = 0x2e

/** The offset behind the name at `start`, whose labels do not matter. */
function skipName(octets: Uint8Array, start: number): number | undefined {
  for (let at = start; at < octets.length; at += 1 + octetAt(octets, at)) {
    const length = octetAt(octets, at)
    if (length === 0) return at + 1
    if (length > LABEL_OCTETS_MAX) return at + 2
  }
  return undefined
}

function writeName(name: string): Uint8Array {
  const labels = name.split('.').map(utf8Octets)
  if (labels.some(label => label.length === 0 || label.length > LABEL_OCTETS_MAX)) throw new RangeError('a bad label')
  return concat([...labels.map(withLength8), Uint8Array.of(0)])
}

function bad(code: MalformedCode, detail?: string): Malformed {
  return malformed(code, 'client', detail)
}

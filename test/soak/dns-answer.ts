/** Answers to DNS questions, octet by octet (RFC 1035 section 4.1). Knows no socket. */

/** Behind the header. */
export const QUESTION_AT = 12
export const TYPE = { a: 1, cname: 5 } as const
export const RCODE = { none: 0, serverFailure: 2, noSuchName: 3 } as const

export interface DnsQuestion {
  /** In small letters, without the dot at the end. */
  readonly name: string
  readonly type: number
}

/** For the name of the question, unless it has one of its own. */
export interface DnsRecord {
  readonly name?: string
  readonly type: number
  readonly data: Uint8Array
}

export function questionOf(query: Buffer): DnsQuestion {
  const labels: string[] = []
  let at = QUESTION_AT
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1) }
}

/** The answer to the only question that is asked. */
export function dnsAnswer(query: Buffer, records: readonly DnsRecord[], code: number = RCODE.none): Buffer {
  const questionEnd = query.indexOf(0, QUESTION_AT) + 5
  const header = Buffer.from(query.subarray(0, QUESTION_AT))
  // An answer, authoritative, recursion desired and available.
  header[2] = 0x85
  header[3] = 0x80 | code
  for (const [index, count] of [1, records.length, 0, 0].entries()) header.writeUInt16BE(count, 4 + 2 * index)
  return Buffer.concat([header, query.subarray(QUESTION_AT, questionEnd), ...records.map(recordOctets)])
}

function recordOctets({ name, type, data }: DnsRecord): Buffer {
  // A pointer to the name of the question.
  const owner = name === undefined ? Buffer.of(0xc0, QUESTION_AT) : nameOctets(name)
  // Class IN, no second to keep it.
  const rest = Buffer.of(0, type, 0, 1, 0, 0, 0, 0, data.length >> 8, data.length & 0xff)
  return Buffer.concat([owner, rest, data])
}

export function nameOctets(name: string): Buffer {
  return Buffer.concat([
    ...name.split('.').map(label => Buffer.concat([Buffer.of(label.length), Buffer.from(label)])),
    Buffer.of(0),
  ])
}

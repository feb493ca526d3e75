/** Addresses of names by DNS messages (RFC 1035), whatever carries them. Keeps nothing. */
import { randomInt } from 'node:crypto'
import type { Resolution, TimedAddresses } from '@socksmith/engine'
import {
  DNS_TYPE,
  type DnsMessage,
  type Failure,
  type IpAddress,
  comparableName,
  decodeDnsMessage,
  encodeDnsQuery,
  failure,
} from '@socksmith/protocol'

/** Carries one query to a name server, and its answer back. */
export type DnsExchange = (query: Uint8Array) => Promise<Uint8Array | Failure>

/** Asks for addresses of both families. */
export function messageLookup(exchange: DnsExchange): (name: string) => Promise<Resolution | TimedAddresses> {
  return async name => {
    const answers = await Promise.all([ask(exchange, name, DNS_TYPE.aaaa), ask(exchange, name, DNS_TYPE.a)])
    const found = answers.filter((answer): answer is TimedAddresses => !('code' in answer))
    const addresses = found.flatMap(answer => answer.addresses)
    if (addresses.length > 0) return { addresses, ttlMs: Math.min(...found.map(({ ttlMs }) => ttlMs)) }
    // "No data" for one family says less than what went wrong with the other.
    const fault = answers.find(answer => 'code' in answer)
    return fault !== undefined && 'code' in fault
      ? fault
      : failure('name_not_found', 'target', 'the name has no address')
  }
}

/** RFC 1035 section 4.1.1. */
const QR = 0x8000
const RCODE = 0x000f
const NXDOMAIN = 3
const OCTETS: { readonly [type: number]: number } = { [DNS_TYPE.a]: 4, [DNS_TYPE.aaaa]: 16 }

async function ask(exchange: DnsExchange, name: string, type: number): Promise<TimedAddresses | Failure> {
  const id = randomInt(0x1_0000)
  let query: Uint8Array
  try {
    query = encodeDnsQuery(id, { name: comparableName(name), type })
  } catch {
    return failure('name_not_found', 'client', 'the name cannot stand in DNS')
  }
  const octets = await exchange(query)
  if (!(octets instanceof Uint8Array)) return octets
  const decoded = decodeDnsMessage(octets)
  if (decoded.kind === 'malformed' || !answers(decoded.value, { id, name, type })) {
    return failure('name_not_found', 'target', 'the name server answers with nonsense')
  }
  const { flags, answers: records } = decoded.value
  const rcode = flags & RCODE
  if (rcode === NXDOMAIN) return failure('name_not_found', 'target', 'there is no such name')
  if (rcode !== 0) return failure('name_not_found', 'target', `the name server failed (RCODE ${rcode})`)
  const fitting = records.filter(record => record.type === type && record.data.length === OCTETS[type])
  return {
    addresses: fitting.map(({ data }): IpAddress => ({ type: type === DNS_TYPE.a ? 'ipv4' : 'ipv6', octets: data })),
    // An alias on the way counts too.
    ttlMs: fitting.length === 0 ? Infinity : Math.min(...records.map(({ ttl }) => ttl * 1_000)),
  }
}

function answers(
  message: DnsMessage,
  asked: { readonly id: number; readonly name: string; readonly type: number },
): boolean {
  const { id, flags, question } = message
  const isSame = comparableName(question.name) === comparableName(asked.name) && question.type === asked.type
  return (flags & QR) !== 0 && id === asked.id && isSame
}

/** Targets as text: `example.com:443`, `192.0.2.1:22`, `[2001:db8::1]:22`. */
import { type Address, type Destination, parseIp } from '@socksmith/protocol'
import { parseHostPattern } from '../host-pattern.ts'

/** The target; `undefined` when the text is none, or its name could not stand in DNS. */
export function parseDestination(text: string): Destination | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(0|[1-9][0-9]{0,4})$/.exec(text)
  const address = match === null ? undefined : parseHostAddress(match[1] ?? match[2] ?? '')
  const port = Number(match?.[3])
  const fits = address !== undefined && port <= 65_535 && (match?.[1] === undefined || address.type === 'ipv6')
  return fits ? { address, port } : undefined
}

/** An address, or one name. */
export function parseHostAddress(text: string): Address | undefined {
  const address = parseIp(text)
  if (address !== undefined) return address
  const pattern = text.startsWith('.') || text.startsWith('*') ? undefined : parseHostPattern(text)
  return pattern && { type: 'domain', name: text }
}

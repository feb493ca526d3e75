/** A target from what people write: host and port, strictly. Resolves nothing. */
import { domainToASCII } from 'node:url'
import { type Address, type Destination, type IpAddress, checkNameText, parseIp } from '@socksmith/protocol'
import { isPort } from './route/pattern.ts'
import { invalid } from './socks-error.ts'

/**
 * The destination that `host` (a name, an address, an IPv6 address in brackets) and `port` mean. A name with letters
 * beyond ASCII goes out in its IDNA form. Throws `SOCKS_BAD_ARGUMENT`.
 */
export function toDestination(host: string, port: number): Destination {
  if (!isPort(port)) throw invalid('a port is a number from 1 to 65535')
  return { address: toAddress(host), port }
}

/** As {@link toDestination}, without a port. */
export function toAddress(host: string): Address {
  const text = /^\[(.*)\]$/.exec(host)?.[1] ?? host
  const literal = parseIp(text)
  if (literal !== undefined) return literal
  if (!checkNameText(text).ok) throw invalid('the host is neither a name nor an address')
  // RFC 5891: what is looked up is the ASCII form; a proxy cannot be relied on to make it.
  const name = /^[\0-\x7f]*$/.test(text) ? text : domainToASCII(text)
  if (!checkNameText(name).ok) throw invalid('the host has no IDNA form')
  return { type: 'domain', name }
}

/** An IP address as text; throws `SOCKS_BAD_ARGUMENT` for everything else. */
export function toIp(text: string): IpAddress {
  const address = parseIp(text)
  if (address === undefined) throw invalid('not an IP address')
  return address
}

/** A request as the caller sees it, the same for SOCKS4, 4a, 5 and HTTP CONNECT. */
import type { Destination } from '../address.ts'

export type CommandName = 'connect' | 'bind' | 'udp-associate' | 'resolve' | 'resolve-ptr'

/** The octet of each command: RFC 1928 section 4, and Tor's extensions. */
export const COMMAND_OCTETS: { readonly [C in CommandName]: number } = {
  connect: 0x01,
  bind: 0x02,
  'udp-associate': 0x03,
  resolve: 0xf0,
  'resolve-ptr': 0xf1,
}

const COMMAND_NAMES = new Map<number, CommandName>(
  (Object.entries(COMMAND_OCTETS) as [CommandName, number][]).map(([name, octet]) => [octet, name]),
)

export function commandName(octet: number): CommandName | undefined {
  return COMMAND_NAMES.get(octet)
}

export interface HandshakeRequest {
  readonly protocol: 'socks4' | 'socks4a' | 'socks5' | 'http'
  readonly command: CommandName
  /** DST.ADDR and DST.PORT as the client wrote them. */
  readonly destination: Destination
  /** USERID of SOCKS4: a label that proves nothing. */
  readonly userid?: Uint8Array
}

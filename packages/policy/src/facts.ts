/** What is known when something is to be decided, and the words for it. Knows no rule. */
import type { IpAddress } from '@socksmith/protocol'

/** What a client speaks. */
export type Protocol = 'socks4' | 'socks4a' | 'socks5' | 'http'

/** What is asked for: a request, the peer that connects to a BIND, or a foreign sender to a UDP association. */
export type Command = 'connect' | 'forward' | 'bind' | 'bind-peer' | 'udp-associate' | 'udp-sender'

/** How a client has shown who it is. */
export type AuthenticationMethod = (typeof METHODS)[number]

export const PROTOCOLS: readonly Protocol[] = ['socks4', 'socks4a', 'socks5', 'http']
export const COMMANDS: readonly Command[] = ['connect', 'forward', 'bind', 'bind-peer', 'udp-associate', 'udp-sender']
export const METHODS = ['none', 'password', 'certificate', 'gssapi', 'chap', 'cram', 'maf', 'json', 'ssl'] as const

/**
 * One question to the rules. `undefined` is "not known yet": the answer may then be that it is still open. `null` is
 * "there is none".
 *
 * @example
 * const facts: Facts = { nowMs: 1_800_000_000_000, client: parseIp('192.0.2.7'), listener: '0.0.0.0:1080',
 *   protocol: 'socks5', method: 'password', user: 'alice', command: 'connect', host: 'example.com', port: 443 }
 */
export interface Facts {
  /** Milliseconds since 1970. */
  readonly nowMs: number
  readonly client: IpAddress | 'unix'
  /** The listener's name, or its address as configured. */
  readonly listener: string
  readonly protocol?: Protocol | undefined
  readonly method?: AuthenticationMethod | undefined
  /** `null`: nobody has logged in. */
  readonly user?: string | null | undefined
  readonly command?: Command | undefined
  /** The name that was asked for; `null`: an address was. */
  readonly host?: string | null | undefined
  /** The address that is to be used. */
  readonly address?: IpAddress | undefined
  /** 0 to 65535. */
  readonly port?: number | undefined
}

/** What follows from a request and is asked about by itself: whoever names the one means the other too. */
export const FOLLOWING: Readonly<Record<'connect' | 'bind' | 'udp-associate', Command>> = {
  connect: 'forward',
  bind: 'bind-peer',
  'udp-associate': 'udp-sender',
}

/** A target is reached; the peer of a BIND, and a foreign sender, are heard. */
export function isReached({ command }: Pick<Facts, 'command'>): boolean {
  return command !== 'bind-peer' && command !== 'udp-sender'
}

/** Where an address is registered: a country as `DE` and an autonomous system as `64496`. It must not wait. */
export type Geo = (address: IpAddress) => { readonly country?: string; readonly asn?: string }

/** A name in the form in which names are compared: lower case, without the dot of the root. */
export function plainName(name: string): string {
  const lower = name.toLowerCase()
  return lower.endsWith('.') ? lower.slice(0, -1) : lower
}

/**
 * The configuration as a value: what the file and the flags say together, with every default filled in. Quantities are
 * still text, as written; the schema has checked them. Knows no file format.
 */

export const PROTOCOLS = ['socks4', 'socks5', 'http'] as const
export const COMMANDS = ['connect', 'bind', 'udp-associate'] as const
export const AUTHENTICATIONS = ['none', 'password', 'certificate', 'rules'] as const
export const CLIENT_CERTIFICATES = ['optional', 'required'] as const
export const ENGINES = ['auto', 'linux', 'node'] as const
export const LOG_FORMATS = ['auto', 'pretty', 'json'] as const
export const LOG_SESSIONS = ['full', 'no-targets', 'none'] as const

export type LogFormat = (typeof LOG_FORMATS)[number]
export type SessionDetail = (typeof LOG_SESSIONS)[number]

export interface TlsConfig {
  readonly certificate: string
  readonly key: string
  readonly 'client-ca'?: string
  readonly 'client-certificate'?: (typeof CLIENT_CERTIFICATES)[number]
}

export interface ListenerConfig {
  readonly address: string
  readonly name?: string
  readonly mode?: string
  readonly protocols?: readonly (typeof PROTOCOLS)[number][]
  readonly auth?: (typeof AUTHENTICATIONS)[number]
  readonly tls?: TlsConfig
  readonly 'proxy-protocol-from'?: readonly string[]
  readonly advertise?: readonly string[]
}

/** How a pool chooses; the words of the client library. */
export const STRATEGIES = ['failover', 'round-robin', 'random', 'least-latency'] as const

/** Which addresses of a name are used, or tried first. */
export const FAMILIES = ['ipv4', 'ipv6', 'ipv4-only', 'ipv6-only'] as const

/** How names become addresses. At most one of `servers` and `https`. */
export interface DnsConfig {
  readonly servers?: readonly string[]
  /** URL of a server that speaks DNS over HTTPS. */
  readonly https?: string
  /** File with the authorities to believe instead of the system's. */
  readonly ca?: string
  readonly hosts?: { readonly [name: string]: string | readonly string[] }
  readonly prefer?: (typeof FAMILIES)[number]
}

export interface WayDnsConfig extends DnsConfig {
  readonly names?: 'system' | 'proxy'
  /** Asked through the way itself. */
  readonly over?: 'tcp' | 'udp'
}

/** A proxy by its URL, or another way by its name. */
export type PoolMember = string | { readonly to: string; readonly weight: number }

/** A way out, but for its name. Without a chain, a pool and a block it leads straight to the target. */
export interface WayConfig {
  readonly block?: boolean
  readonly chain?: readonly string[]
  readonly pool?: readonly PoolMember[]
  readonly strategy?: (typeof STRATEGIES)[number]
  readonly 'back-off'?: string | number
  readonly 'back-off-max'?: string | number
  readonly check?: {
    readonly every: string | number
    readonly to?: string
    readonly timeout?: string | number
    readonly 'back-off-max'?: string | number
  }
  readonly sticky?: string
  readonly source?: string | readonly string[]
  readonly interface?: string
  readonly mark?: number
  /** `system`, `proxy`, a URL, a server, servers, or more. */
  readonly dns?: string | readonly string[] | WayDnsConfig
}

/** A text is the URL of a proxy, or `block`. */
export interface WaysConfig {
  readonly [name: string]: string | WayConfig
}

export interface Config {
  readonly listen: readonly (string | ListenerConfig)[]
  readonly users: { readonly file?: string; readonly template?: string }
  readonly access: {
    readonly 'inside-from'?: readonly string[]
    readonly 'inside-open': readonly string[]
    readonly commands: readonly (typeof COMMANDS)[number][]
  }
  /** The path of a policy, or a policy. */
  readonly policy?: string | { readonly [key: string]: unknown }
  readonly geo: readonly string[]
  readonly control?: string
  /** The file of octets and bans. */
  readonly state?: string
  readonly login: { readonly trusted: readonly string[]; readonly [key: string]: string | number | readonly string[] }
  readonly bind: { readonly ports?: string | number; readonly 'any-peer': boolean }
  readonly udp: { readonly ports?: string | number; readonly 'full-cone': boolean; readonly reassemble: boolean }
  readonly limits: { readonly [key: string]: string | number }
  /** Proxies to go out by, each of them as behind `--via`; they may hold passwords. */
  readonly via: readonly string[]
  readonly outgoing: readonly string[]
  /** Ways out by the names that rules use; they may hold passwords. */
  readonly ways: WaysConfig
  readonly dns: DnsConfig & { readonly servers: readonly string[] }
  readonly log: { readonly format: LogFormat; readonly sessions: SessionDetail; readonly file?: string }
  readonly drain: string | number
  readonly engine: (typeof ENGINES)[number]
  /** Threads; `auto` is one for each core. */
  readonly workers: string | number
  readonly 'danger-open-proxy': boolean
}

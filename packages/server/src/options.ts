/** What a server is told by whoever embeds it, and the defaults with their reasons. Knows no file and no flag. */
import type { Route } from '@socksmith/client/route'
import type { Engine, Place, Resolver, SecureOptions } from '@socksmith/engine'
import type { Ipv4Address, Ipv6Address } from '@socksmith/protocol'
import { type Decider, LOOPBACK, type Network } from '@socksmith/policy'
import type { ServerEvent } from './event.ts'
import type { Ledger } from './limit/ledger.ts'
import type { Ban } from './login/ban-list.ts'
import type { SessionRecord } from './record.ts'
import type { Tally } from './tally.ts'
import type { Ways } from './way.ts'

/** What one listening place speaks and asks for. */
export interface ListenerOptions {
  /** What rules call this listener. */
  readonly name?: string
  readonly place: Place
  /** What is spoken here; the first octet decides between them. */
  readonly protocols: { readonly socks4: boolean; readonly socks5: boolean; readonly http: boolean }
  /**
   * `none`: nobody is asked. `password`: RFC 1929 or HTTP Basic, and SOCKS4, which can carry neither, is refused.
   * `certificate`: a TLS client certificate is needed. With any of them the name in a believed certificate is the user,
   * and stands in place of the password. `rules`: whatever could lead to something that the policy allows; a client that
   * offers its password is asked for it.
   */
  readonly authentication: 'none' | 'password' | 'certificate' | 'rules'
  /** TLS around everything spoken here; asked for each connection, so that a renewed certificate is used at once. */
  readonly tls?: () => SecureOptions
  /** Peers in these networks must send a PROXY protocol header, and are believed. Everybody else must not send one. */
  readonly proxyProtocolFrom?: readonly Network[]
  /** Addresses to tell clients in the replies to BIND and UDP ASSOCIATE, when this host is behind NAT. */
  readonly advertise?: { readonly ipv4?: Ipv4Address; readonly ipv6?: Ipv6Address }
  /** A socket that listens already, inherited or shared; see the engine's `ListenOptions`. */
  readonly descriptor?: number
  /** Length of the kernel's queue of connections not yet accepted. */
  readonly backlog?: number
  /** File mode of a Unix socket, for example 0o660. Default: by the umask. */
  readonly mode?: number
}

/** A user name and a password, as octets: RFC 1929 gives them no encoding. */
export interface Credentials {
  readonly username: Uint8Array
  readonly password: Uint8Array
}

/**
 * Says whether these credentials are right: the user's name for rules and records, or `undefined`. It must not throw. A
 * client with failures of late is a `suspect`: where logins wait, the others go first.
 */
export type Authenticate = (
  credentials: Credentials,
  client: Place,
  standing: 'clean' | 'suspect',
) => Promise<string | undefined>

/** A user name in its parts. */
export interface SplitLogin {
  readonly user: string
  /** By names other than `user` and `client`: ways may stick by them, and tell them to proxies. */
  readonly parameters: Readonly<Record<string, string>>
}

/** What failed logins lead to. Failures are forgotten evenly in the time of the window. */
export interface LoginOptions {
  /** Failures that are answered at once. */
  readonly delayAfter: number
  /** How much later the next one is answered; each further one twice as late, up to the longest. */
  readonly delayMs: number
  readonly delayMaxMs: number
  readonly windowMs: number
  /** So many failures of one name from one address, and that pair is banned. */
  readonly loginFailures: number
  /** So many failures of one address, and it is banned. */
  readonly addressFailures: number
  readonly banMs: number
  /** Addresses that are never counted and never banned; so are Unix sockets. */
  readonly trusted: readonly Network[]
}

export const DEFAULT_LOGIN: LoginOptions = {
  // A person mistypes twice.
  delayAfter: 2,
  delayMs: 500,
  // Within the time for a handshake, so that the client is still there to be answered.
  delayMaxMs: 10_000,
  windowMs: 900_000,
  // A program with an old password is shut out alone, and not the office around it.
  loginFailures: 10,
  // An office has many who mistype; 50 guesses in 15 minutes are 5,000 a day.
  addressFailures: 50,
  banMs: 900_000,
  // Whoever is on this host is not kept out by an address, and a local front end stands for all of its clients.
  trusted: LOOPBACK,
}

/** What may be asked for, and by whom. */
export interface AccessOptions {
  /**
   * Clients in these networks may reach addresses inside (loopback, private, link-local and so on).
   * Default: loopback and Unix sockets only, since whoever is on this host can reach them anyway.
   */
  readonly insideFrom?: readonly Network[]
  /** Inside networks that everybody may reach all the same. Default: none. */
  readonly insideOpen?: readonly Network[]
  readonly connect?: boolean
  readonly bind?: boolean
  readonly udpAssociate?: boolean
}

export interface BindOptions {
  /** Ports to listen on, first and last. Default: any free port. */
  readonly ports?: PortRange
  /** A BIND whose DST.ADDR is 0.0.0.0, :: or a name accepts any peer. Default false: it is refused. */
  readonly anyPeer?: boolean
}

export interface PortRange {
  readonly first: number
  readonly last: number
}

export interface UdpOptions {
  /** Ports for the relay sockets that clients send to. Default: any free port. */
  readonly ports?: PortRange
  /** Datagrams from senders that the client never wrote to are delivered too (endpoint-independent filtering). Default false. */
  readonly fullCone?: boolean
  /** FRAG is reassembled (RFC 1928 section 7) instead of dropped. Default false: nobody sends fragments but attackers. */
  readonly reassemble?: boolean
}

/** Every limit of the server. Times are in milliseconds, sizes in octets, the rest are counts. */
export interface Limits {
  /** All connections at once, in any phase. Fewer are let in where the process has no descriptors for them. */
  readonly connections: number
  /** Connections at once from one client address. */
  readonly connectionsPerClient: number
  /** From accept to a complete request. */
  readonly handshakeMs: number
  /** Attempts to reach targets at once. */
  readonly pendingDials: number
  /** One CONNECT, over all addresses of its target. */
  readonly dialMs: number
  /** Waiting for the peer of a BIND (SOCKS4 note: two minutes). */
  readonly bindMs: number
  /** A relay without an octet in either direction; 0 is for ever. */
  readonly idleMs: number
  /** A relay without an octet after one side has finished. */
  readonly halfOpenIdleMs: number
  /** From a failure to the end of its connection (RFC 1928 section 6: not later than 10 seconds). */
  readonly failureCloseMs: number
  /** Octets a client may send behind its request before the reply. */
  readonly earlyOctets: number
  readonly udpAssociations: number
  /** An association without a datagram in either direction. */
  readonly udpIdleMs: number
  /** Different destinations one association may write to. */
  readonly udpRemotes: number
  /** Datagrams a second that one association may send; a burst of one second's worth is allowed. 0 is without limit. */
  readonly udpDatagramsPerSecond: number
}

export const DEFAULT_LIMITS: Limits = {
  // As tunnels they take 16,000 descriptors: of the 20,000 that are common, some are left for datagrams.
  connections: 8_000,
  // A browser with many tabs holds some hundreds; one address must not be able to take the whole server.
  connectionsPerClient: 2_000,
  // Dante's value. Enough for a person's slow link, short enough to clear out silent clients.
  handshakeMs: 30_000,
  // Unanswered dials cost a descriptor each for up to dialMs.
  pendingDials: 2_000,
  // Dante's value; longer than three SYN retransmissions.
  dialMs: 30_000,
  bindMs: 120_000,
  // Long-lived quiet tunnels (ssh, IMAP IDLE) are ordinary; keep-alive finds the dead ones.
  idleMs: 0,
  // A half-closed tunnel waits for one answer; ten quiet minutes mean that nobody will give it.
  halfOpenIdleMs: 600_000,
  // Under the RFC's ten seconds, with room for a slow client to read the reply.
  failureCloseMs: 5_000,
  earlyOctets: 65_536,
  udpAssociations: 1_000,
  // QUIC flows may be silent for 30 s and more; five minutes is what NAT devices give UDP at best.
  udpIdleMs: 300_000,
  // A BitTorrent or game client talks to some hundreds of peers.
  udpRemotes: 1_024,
  udpDatagramsPerSecond: 0,
}

export interface ServerOptions {
  readonly engine: Engine
  readonly resolver: Resolver
  readonly listeners: readonly ListenerOptions[]
  /** Needed when a listener asks for a password. */
  readonly authenticate?: Authenticate
  /** Parts a user name that carries parameters; the login is then checked for the bare user. Default: none does. */
  readonly splitLogin?: (username: string) => SplitLogin | undefined
  readonly access?: AccessOptions
  /**
   * The rules, compiled; they know of `access.insideFrom` and `insideOpen` by themselves. Default: everything is allowed
   * but inside addresses to clients from elsewhere.
   */
  readonly policy?: Decider
  readonly bind?: BindOptions
  readonly udp?: UdpOptions
  readonly limits?: Partial<Limits>
  /** Where connections, dials and associations are counted, when the limits hold for several servers together. */
  readonly tally?: Tally
  /** What failed logins lead to. Default: {@link DEFAULT_LOGIN}. */
  readonly login?: Partial<LoginOptions>
  /** Where failed logins are counted, when several servers count together. */
  readonly failures?: Ledger
  /** Who is kept out from the start. */
  readonly bans?: readonly Ban[]
  /** Further ways out, by the names that rules use; `default` and `direct` may be told more here too. */
  readonly ways?: Ways
  /** Where what is limited is counted, when the limits hold for several servers together. */
  readonly ledger?: Ledger
  /**
   * How targets are reached where no rule names a way. Default: directly. A name goes to the last proxy as it is, where that one resolves names and no
   * rule has to see the address.
   */
  readonly route?: Route
  /** The address to leave by where no rule names a way, for each family. Default: the kernel's choice. */
  readonly outgoing?: { readonly ipv4?: Ipv4Address; readonly ipv6?: Ipv6Address }
  /** Called once for each session when it is over. Must not throw. */
  readonly onSession?: (record: SessionRecord) => void
  /** Called when something worth knowing happens to the server itself. Must not throw. */
  readonly onEvent?: (event: ServerEvent) => void
}

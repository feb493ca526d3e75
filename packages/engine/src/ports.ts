/**
 * The ports between "who may do what" and "how octets move". A server or a client is written against these and never
 * against `node:net`; an engine implements them. Expected failures are values; nothing here throws for a network reason.
 */
import type { Endpoint, Failure, IpAddress } from '@socksmith/protocol'

/** Where one end of a stream is: an IP endpoint, or a Unix socket (whose client end has no path). */
export type Place =
  | { readonly kind: 'ip'; readonly endpoint: Endpoint }
  | { readonly kind: 'unix'; readonly path: string }

/** Why a stream is over. `reset`: the other end sent RST. `idle`: our idle limit. `ended`: both directions finished. */
export type CloseCause = 'ended' | 'reset' | 'error' | 'idle' | 'destroyed'

/** Who hears what happens on a connection while it is read by a person's own code (a handshake, an HTTP exchange). */
export interface ConnectionReader {
  /** Octets arrived. They are the engine's: keep a copy, not the array. */
  onOctets(octets: Uint8Array): void
  /** The other end sent FIN. Writing is still possible. */
  onEnd(): void
  /** The connection is gone; nothing follows. Called once, also after our own `destroy`. */
  onClose(cause: CloseCause): void
}

/** One stream, TCP or Unix or TLS, held half-open: FIN of one direction does not end the other. */
export interface Connection {
  readonly local: Place
  readonly remote: Place
  /** Names the peer proved by a TLS client certificate; absent without one. */
  readonly certificateName?: string
  /** Octets accepted by `write` and not yet taken by the kernel. */
  readonly unsentOctets: number
  /**
   * Starts delivery to `reader`, or hands it over to another one, which is told of a FIN or a close that came before it.
   * Nothing is read before the first call; a pause ends with each.
   */
  read(reader: ConnectionReader): void
  /** Stops delivery; the kernel's window then stops the sender. */
  pause(): void
  resume(): void
  /** Sends octets in order; never blocks. The array belongs to the engine from now on. */
  write(octets: Uint8Array): void
  /** Calls back once everything written so far is with the kernel, or the connection is gone. */
  onceSent(callback: () => void): void
  /** Sends FIN after everything written. */
  end(): void
  /** Closes both directions now, with FIN where the kernel can. */
  destroy(): void
  /** Closes both directions with RST. */
  reset(): void
  /** Whether it keeps the process alive while it is open; it does until told. Absent where that cannot be chosen. */
  holdProcess?(holds: boolean): void
}

/** How a socket leaves this machine, beyond its address. `Engine.socketOptions` says which of them an engine can set. */
export interface SocketOptions {
  /** Only through this network interface (`SO_BINDTODEVICE`). */
  readonly interface?: string
  /** The mark of its packets, for the kernel's rules (`SO_MARK`): 0 to 2^32-1. */
  readonly mark?: number
  /** The address to leave by need not be one of this machine's (`IP_FREEBIND`). */
  readonly freeBind?: boolean
}

export interface ListenOptions extends SocketOptions {
  readonly place: Place
  /**
   * A socket that listens already: inherited from whoever started the process, or shared with other threads. `place` says
   * what kind it is. The portable engine takes it over; the Linux engine leaves it open when the listener is closed.
   */
  readonly descriptor?: number
  /** Length of the kernel's queue of connections not yet accepted. */
  readonly backlog: number
  /** For TCP: also take IPv4 on an IPv6 wildcard. Default false. */
  readonly dualStack?: boolean
  /**
   * For TCP on Linux: further sockets of this process may listen at the same place, and the kernel shares the newcomers out
   * among them. Whoever asks must have made sure that nobody else listens there.
   */
  readonly reusePort?: boolean
  /** For a Unix socket: its file mode, for example 0o600. */
  readonly mode?: number
}

/** What a listener tells. */
export interface ListenHandler {
  onConnection(connection: Connection): void
  /** Accepting failed (out of descriptors, mostly). The listener goes on by itself after a pause. */
  onAcceptFailure(failure: Failure): void
}

export interface Listener {
  /** With the real port when 0 was asked. */
  readonly place: Place
  /** Hands out nothing; up to `backlog` connections wait, unread, in the kernel's queue or in the engine's. */
  pause(): void
  resume(): void
  /** Stops accepting and frees the port. Connections that were accepted live on. */
  close(): Promise<void>
}

export interface DialOptions extends SocketOptions {
  /** The address to leave by. */
  readonly localAddress?: IpAddress
  /** Milliseconds until the attempt fails with `timed_out`. */
  readonly timeoutMs: number
  /** Find out by probes that the other end vanished without FIN. Default true. */
  readonly keepAlive?: boolean
}

/** One attempt to reach one address. */
export interface Dialing {
  readonly result: Promise<Connection | Failure>
  /** Gives the attempt up; `result` then becomes a failure, or its connection is destroyed. */
  cancel(): void
}

/** Sender and receiver of datagrams on one socket. */
export interface DatagramSocket {
  readonly local: Endpoint
  /** Sends one datagram, or drops it as UDP may. The octets are copied before the call returns. */
  send(octets: Uint8Array, to: Endpoint): void
  close(): void
}

/**
 * Octets in front of a received datagram that may be free for a header: enough for the longest one with an IP address
 * (RFC 1928 section 7: 22 octets), and a multiple of eight.
 */
export const DATAGRAM_ROOM_OCTETS = 32

export interface DatagramOptions extends SocketOptions {
  /** The kernel may hand over several datagrams of one sender at once; they are parted again. Default true, where it can. */
  readonly joined?: boolean
}

/** What a datagram socket tells. */
export interface DatagramHandler {
  /**
   * The octets are the engine's: keep a copy, not the array. `room` octets in front of them, in the same buffer, may be
   * written until this call returns; so may the octets.
   */
  onDatagram(octets: Uint8Array, from: Endpoint, room: number): void
  /** An error on the socket, such as an ICMP answer. The socket goes on. */
  onFailure(failure: Failure): void
}

/** How a relay ended: counts are octets carried in each direction. */
export interface RelayEnd {
  readonly cause: CloseCause
  /** The side that made the end: by the first of two FINs, by RST or by error; `us` by limit or by `close`. */
  readonly by: 'client' | 'target' | 'us'
  readonly clientToTarget: number
  readonly targetToClient: number
}

/**
 * A bound on what one direction of a relay carries. Whoever asks either takes before he reads (`take`), or reads and tells
 * what it was (`spend`); when there is none left he stops reading until he is called back.
 */
export interface Meter {
  /** Octets that may be carried now, at most `wanted`; after 0, `onReady` is called back once there are some. */
  take(wanted: number): number
  /** Gives back what was taken and not carried. */
  giveBack(octets: number): void
  /** Tells what was carried without asking. False: nothing more, until `onReady` is called back. */
  spend(octets: number): boolean
  /** Who is to be called back. */
  onReady: (() => void) | undefined
  /** Somebody was told to stop, and has not been called back yet. */
  readonly isWaiting: boolean
  /** Nothing follows. */
  close(): void
}

/** Up is from the client. A direction without a meter has no bound, and costs nothing. */
export interface RelayMeters {
  readonly up?: Meter
  readonly down?: Meter
}

export interface RelayOptions {
  readonly client: Connection
  readonly target: Connection
  /** Octets behind the handshake; they go to the target before anything else. */
  readonly toTarget: Uint8Array
  /** Octets that the target sent before the relay started; they go to the client first. */
  readonly toClient: Uint8Array
  /** Milliseconds without an octet in either direction until the relay ends; 0 is never. */
  readonly idleMs: number
  /** Milliseconds without an octet, once one direction has ended; 0 is never. */
  readonly halfOpenIdleMs: number
  /** What may be carried. The relay closes them when it ends. */
  readonly meters?: RelayMeters
  readonly onEnd: (end: RelayEnd) => void
}

/**
 * Octets that a relay may hold in this process for one tunnel whose reader stalled; it then stops reading the source. A
 * thousand stalled tunnels are 256 MiB, and 64 KiB in flight each way (one read) leave room for what an engine reads ahead.
 */
export const RELAY_BUFFER_OCTETS_MAX: number = 256 * 1024

/** A running relay. */
export interface Relay {
  readonly clientToTarget: number
  readonly targetToClient: number
  /** From now on these bound what is carried, in place of those before. */
  useMeters(meters: RelayMeters): void
  /** Ends both connections now. */
  close(): void
}

/** A timer that can be given up. */
export interface Timer {
  cancel(): void
}

/** Time, so that tests can own it. */
export interface Clock {
  /** Milliseconds that never go backwards, from an arbitrary start. */
  monotonicMs(): number
  /** Milliseconds since 1970, for records. */
  wallMs(): number
  /** Calls back once; never after `Infinity`. A waiting timer does not keep the process alive. */
  after(ms: number, callback: () => void): Timer
}

/** The server's side of TLS. */
export interface SecureOptions {
  /** PEM. */
  readonly certificate: string
  /** PEM. */
  readonly key: string
  /** PEM of the authorities whose client certificates are believed; absent: no client certificate is asked for. */
  readonly clientAuthorities?: string
  /** A client without a certificate of those authorities is refused. */
  readonly clientCertificateRequired?: boolean
  /** Milliseconds for the TLS handshake. */
  readonly timeoutMs: number
}

/** The client's side of TLS. */
export interface SecureAsClientOptions {
  /** The name or address that the certificate must bear; a name is also sent (SNI). */
  readonly serverName: string
  /** PEM of the authorities to believe instead of the system's. */
  readonly authorities?: string
  /** PEM of our own certificate, when the server asks for one, and its key. */
  readonly certificate?: string
  readonly key?: string
  /** Believe any certificate: whoever is in between can then read and change everything. Default false. */
  readonly dangerAcceptAnyCertificate?: boolean
  /** Milliseconds for the TLS handshake. */
  readonly timeoutMs: number
}

/** A TLS handshake that runs. */
export interface Securing {
  readonly result: Promise<Connection | Failure>
  /** Gives it up; the connection is then gone. */
  cancel(): void
}

/** Everything that a server or a client asks of the world below. */
export interface Engine {
  readonly name: 'node' | 'linux' | 'simulated'
  readonly clock: Clock
  /** Descriptors that this process may have open; a tunnel takes two. `Infinity` where the system does not tell. */
  readonly descriptorsMax: number
  /**
   * Which socket options it can set. Whoever asks for another one gets a failure, never a socket without it.
   */
  readonly socketOptions: ReadonlySet<keyof SocketOptions>
  listen(options: ListenOptions, handler: ListenHandler): Promise<Listener | Failure>
  dial(to: Place, options: DialOptions): Dialing
  openDatagrams(local: Endpoint, handler: DatagramHandler, options?: DatagramOptions): Promise<DatagramSocket | Failure>
  /** The local address by which the kernel would reach `destination`: the interface that faces it. */
  facing(destination: IpAddress): Promise<IpAddress | Failure>
  /**
   * Speaks TLS, as its server, on an accepted connection; `early` are octets of it that were read already.
   * The answer is a connection of plain octets, or why there is none (the connection is then gone).
   */
  secure(connection: Connection, early: Uint8Array, options: SecureOptions): Promise<Connection | Failure>
  /**
   * Speaks TLS, as its client, on a connection; `early` are octets of the server that were read already. The connection
   * may be of another engine, or none of any engine at all. Blames the target for what goes wrong; a certificate that is
   * not believed is `not_allowed`, with the name of the reason as `errno`.
   */
  secureAsClient(connection: Connection, early: Uint8Array, options: SecureAsClientOptions): Securing
  relay(options: RelayOptions): Relay
}

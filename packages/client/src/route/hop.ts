/** One proxy on the way: where it is, what it speaks, and what it is told. A frozen value; knows no socket. */
import { type Address, type Destination, type Method, formatAddress, formatDestination } from '@socksmith/protocol'
import type { Credentials } from './credentials.ts'
import type { Traits } from './route.ts'

/** What a proxy speaks. */
export type HopProtocol = 'socks4' | 'socks4a' | 'socks5' | 'http' | 'ssh'

/** Where a proxy listens. A Unix socket can only be the first on the way. */
export type HopPlace =
  | { readonly kind: 'host'; readonly destination: Destination }
  | { readonly kind: 'unix'; readonly path: string }

/** TLS towards a proxy. PEM texts. */
export interface HopTls {
  /** Authorities to believe instead of the system's. */
  readonly authorities?: string
  /** Our own certificate, when the proxy asks for one. */
  readonly certificate?: string
  readonly key?: string
  /** The name that the proxy's certificate must bear; by default the host of the proxy. */
  readonly serverName?: string
  /** Believe any certificate: whoever is in between can then read and change everything. Default false. */
  readonly dangerAcceptAnyCertificate?: boolean
}

/** What ssh needs beyond a password. */
export interface HopSsh {
  /** PEM or OpenSSH form. */
  readonly privateKey?: string
  readonly passphrase?: string
  /** Path of an agent's socket, such as `SSH_AUTH_SOCK`. */
  readonly agent?: string
  /** SHA-256 of the server's host key in base64, as `ssh-keygen -l` prints it behind `SHA256:`. */
  readonly hostKeySha256?: string
  /** Believe any host key. Default false; without a key to compare, ssh is refused. */
  readonly dangerAcceptAnyHostKey?: boolean
}

/** Asked late, for each connection: the user name and password for this proxy, for whoever has these traits. */
export type AskCredentials = (proxy: string, traits: Traits) => Promise<Credentials> | Credentials

/** One proxy on the way. */
export interface ProxyHop {
  readonly protocol: HopProtocol
  readonly place: HopPlace
  /** Who turns names into addresses: this machine, or the proxy. */
  readonly resolve: 'here' | 'there'
  readonly tls?: HopTls
  readonly ssh?: HopSsh
  readonly credentials?: Credentials | AskCredentials
  /** SOCKS5 methods to offer instead of none and user/password; the order is the preference. */
  readonly methods?: readonly Method[]
  /** Answers the questions of a method that asks the person (CRAM), in the server's words. */
  readonly prompt?: (text: Uint8Array, proxy: string) => Promise<Uint8Array>
  /** The proxy as a URL without user name and password, for errors and events: `"socks5h://proxy.example:1080"`. */
  readonly label: string
}

/** The label of a proxy. */
export function labelOf(scheme: string, place: HopPlace): string {
  return place.kind === 'unix'
    ? `${scheme}+unix://${place.path}`
    : `${scheme}://${formatDestination(place.destination)}`
}

/** The host of a proxy as text: the name that its certificate must bear. */
export function hostNameOf(place: HopPlace): string {
  return place.kind === 'unix' ? 'localhost' : hostText(place.destination.address)
}

function hostText(address: Address): string {
  return formatAddress(address)
}

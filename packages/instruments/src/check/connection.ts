/** Connections over TCP, and TLS upon them: opened within a time, or a finding that says why not. Knows nothing of SOCKS. */
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { type ConnectionOptions, type TLSSocket, connect as connectTls } from 'node:tls'
import { type Endpoint, type IpAddress, formatAddress, formatDestination, parseIp } from '@socksmith/protocol'
import { Finding } from './finding.ts'

export interface DialOptions {
  readonly limitMs: number
  /** The address of this host from which to connect. Default: the system's choice. */
  readonly from?: IpAddress | undefined
}

/** Begins to connect. The caller ends the socket, also when `ready` is refused with a finding. */
export function dial(
  to: Endpoint,
  { limitMs, from }: DialOptions,
): { readonly socket: Socket; readonly ready: Promise<void> } {
  const localAddress = from === undefined ? {} : { localAddress: formatAddress(from) }
  const socket = connect({ host: formatAddress(to.address), port: to.port, allowHalfOpen: true, ...localAddress })
  return { socket, ready: opened(socket, to, limitMs) }
}

const NO_ANSWER = 'no answer'

/** What a dial is told by a port that takes nobody. Every other failure has its reason on this host. */
const NOT_TAKEN: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ETIMEDOUT', NO_ANSWER])

/** The finding of a dial says that the other end is there and sends the client away. */
export function isSentAway({ got }: Finding): boolean {
  return got === 'ECONNREFUSED' || got === 'ECONNRESET'
}

/** The finding of a dial says that the other end did not take it. */
export function isNotTaken({ got }: Finding): boolean {
  return NOT_TAKEN.has(got)
}

async function opened(socket: Socket, to: Endpoint, limitMs: number): Promise<void> {
  try {
    await onceWithin(socket, 'connect', limitMs, NO_ANSWER)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new Finding(`a connection to ${formatDestination(to)}`, code ?? message)
  }
}

/** Waits for an event; when it is too late the socket is destroyed for this reason. */
async function onceWithin(socket: Socket, event: string, limitMs: number, reason: string): Promise<void> {
  const timer = setTimeout(() => socket.destroy(new Error(reason)), limitMs)
  try {
    await once(socket, event)
  } finally {
    clearTimeout(timer)
  }
}

export interface SecureOptions {
  readonly host: string
  readonly limitMs: number
  /** Certificates that are believed in place of the system's, PEM. */
  readonly authorities?: string | undefined
  /** For a question about TLS itself. Default: true. */
  readonly isCertificateChecked?: boolean
}

/** Begins the handshake. The caller ends the socket, also when `ready` is refused with a finding. */
export function secure(
  socket: Socket,
  { host, limitMs, authorities, isCertificateChecked = true }: SecureOptions,
): { readonly secured: TLSSocket; readonly ready: Promise<void> } {
  const options: ConnectionOptions = { socket, host, rejectUnauthorized: isCertificateChecked }
  if (parseIp(host) === undefined) options.servername = host
  if (authorities !== undefined) options.ca = authorities
  const secured = connectTls(options)
  return { secured, ready: handshake(secured, limitMs) }
}

async function handshake(secured: TLSSocket, limitMs: number): Promise<void> {
  try {
    await onceWithin(secured, 'secureConnect', limitMs, `the server says nothing within ${limitMs / 1_000} s`)
  } catch (error) {
    throw new Finding('a TLS connection', troubleText(error as NodeJS.ErrnoException))
  }
}

/** Of certificates that are in order, and whose authority nobody named. */
const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

function troubleText({ code = '', message }: NodeJS.ErrnoException): string {
  if (UNKNOWN_AUTHORITY.has(code)) {
    return `nobody who is believed has signed its certificate (${code}); name its authority: --tls-ca FILE`
  }
  // A SOCKS server answers a TLS handshake with other octets or with its end.
  const isPlain = code === 'ECONNRESET' || code.startsWith('ERR_SSL_')
  return isPlain ? `it does not speak TLS (${code}); without TLS the scheme is socks5://` : message
}

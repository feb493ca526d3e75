/** TLS upon a connection of a probe: opens it, or says in words why not. Knows nothing of SOCKS. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type ConnectionOptions, type TLSSocket, connect } from 'node:tls'
import { parseIp } from '@socksmith/protocol'
import { Finding } from './finding.ts'

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
  const secured = connect(options)
  return { secured, ready: handshake(secured, limitMs) }
}

async function handshake(secured: TLSSocket, limitMs: number): Promise<void> {
  const tooLate = new Error(`the server says nothing within ${limitMs / 1_000} s`)
  const timer = setTimeout(() => secured.destroy(tooLate), limitMs)
  try {
    await once(secured, 'secureConnect')
  } catch (error) {
    throw new Finding('a TLS connection', troubleText(error as NodeJS.ErrnoException))
  } finally {
    clearTimeout(timer)
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

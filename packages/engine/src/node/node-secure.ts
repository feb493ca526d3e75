/**
 * The server's side of TLS on a connection that was accepted already, with `node:tls`. A `tls.Server` that never listens
 * is given the sockets (its documented way), because it is the one that checks client certificates.
 */
import type { Socket } from 'node:net'
import type { Server, TLSSocket } from 'node:tls'
import { failure } from '@socksmith/protocol'
import type { Failure } from '@socksmith/protocol'
import type { Clock, Connection, SecureOptions } from '../ports.ts'
import { NodeConnection } from './node-connection.ts'
import { nodeTls } from './node-tls.ts'
import { errnoOf } from './system-failure.ts'

// Node's own limit on handshakes cannot be switched off; ours is measured by the engine's clock.
const NO_HANDSHAKE_LIMIT_MS = 2 ** 31 - 1

interface Waiting {
  onSecure(socket: TLSSocket): void
  onFailure(why: Failure): void
}

/** Does the TLS handshakes of one engine. */
export class NodeSecurity {
  readonly #clock: Clock
  // Reading a certificate takes longer than a handshake may: once for each set of options.
  readonly #servers = new WeakMap<SecureOptions, Server>()
  readonly #waiting = new WeakMap<Socket, Waiting>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** See {@link Engine.secure}. */
  async secure(connection: Connection, early: Uint8Array, options: SecureOptions): Promise<Connection | Failure> {
    if (!(connection instanceof NodeConnection)) throw new TypeError('a connection of another engine')
    const server = this.#serverFor(options)
    if ('code' in server) {
      connection.destroy()
      return server
    }
    const carrier = connection.release()
    if (carrier.destroyed) return failure('aborted', 'client', 'gone before the TLS handshake')
    if (early.length > 0) carrier.unshift(early)
    const socket = await this.#handshake(server, carrier, options.timeoutMs)
    if ('code' in socket) {
      carrier.destroy()
      return socket
    }
    const certificateName = socket.authorized ? nameOf(socket) : undefined
    const { local, remote } = connection
    return new NodeConnection(socket, { local, remote, carrier, ...(certificateName && { certificateName }) })
  }

  #handshake(server: Server, carrier: Socket, timeoutMs: number): Promise<TLSSocket | Failure> {
    const { promise, resolve } = Promise.withResolvers<TLSSocket | Failure>()
    const timer = this.#clock.after(timeoutMs, () => resolve(failure('timed_out', 'client', 'no TLS handshake')))
    const settle = (result: TLSSocket | Failure): void => {
      timer.cancel()
      resolve(result)
    }
    this.#waiting.set(carrier, { onSecure: settle, onFailure: settle })
    // FIN in the middle of a handshake is the end of it. The TLS socket takes this from its carrier.
    carrier.allowHalfOpen = false
    server.emit('connection', carrier)
    return promise
  }

  #serverFor(options: SecureOptions): Server | Failure {
    const known = this.#servers.get(options)
    if (known) return known
    const server = this.#createServer(options)
    if (!('code' in server)) this.#servers.set(options, server)
    return server
  }

  #createServer(options: SecureOptions): Server | Failure {
    const { certificate, key, clientAuthorities, clientCertificateRequired = false } = options
    if (clientCertificateRequired && clientAuthorities === undefined) {
      return failure('general_failure', 'us', 'client certificates are required, but no authority is given')
    }
    const asked = clientAuthorities === undefined ? {} : { ca: clientAuthorities, requestCert: true }
    try {
      const server = nodeTls().createServer({
        cert: certificate,
        key,
        ...asked,
        rejectUnauthorized: clientCertificateRequired,
        handshakeTimeout: NO_HANDSHAKE_LIMIT_MS,
        pauseOnConnect: true,
      })
      server.on('secureConnection', socket => {
        socket.allowHalfOpen = true
        this.#waitingFor(socket)?.onSecure(socket)
      })
      server.on('tlsClientError', (error, socket) =>
        this.#waitingFor(socket)?.onFailure(handshakeFailure(error, socket)),
      )
      return server
    } catch (error) {
      return failure('general_failure', 'us', `the certificate or its key cannot be used: ${errnoOf(error)}`)
    }
  }

  #waitingFor(socket: TLSSocket): Waiting | undefined {
    // Node names the socket below a TLS socket nowhere else.
    const { _parent: carrier } = socket as unknown as { readonly _parent: Socket }
    const waiting = this.#waiting.get(carrier)
    this.#waiting.delete(carrier)
    return waiting
  }
}

function handshakeFailure(error: Error, socket: TLSSocket): Failure {
  const errno = errnoOf(error) ?? 'unknown'
  if (errno === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return failure('not_allowed', 'client', 'no certificate')
  if (socket.authorizationError) return failure('not_allowed', 'client', String(socket.authorizationError))
  if (errno === 'ECONNRESET') return failure('aborted', 'client', 'gone in the TLS handshake')
  return failure('unknown_protocol', 'client', errno)
}

/** The name that a checked certificate gives its owner: the common name, otherwise the first DNS name or mail address. */
function nameOf(socket: TLSSocket): string | undefined {
  const { subject, subjectaltname } = socket.getPeerCertificate()
  const commonName: string | string[] | undefined = subject?.CN
  if (typeof commonName === 'string') return commonName
  if (commonName?.[0] !== undefined) return commonName[0]
  // Node puts a name that could be misread into quotes; such a one is not used.
  return /(?:^|, )(?:DNS|email):([^",\s]+)(?:,|$)/.exec(subjectaltname ?? '')?.[1]
}

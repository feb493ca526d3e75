/** The client's side of TLS with `node:tls`, on a connection of this engine or of any other. */
import type { Socket } from 'node:net'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { type Failure, failure } from '@socksmith/protocol'
import { ConnectionDuplex } from '../connection-duplex.ts'
import type { Clock, Connection, SecureAsClientOptions, Securing, Timer } from '../ports.ts'
import { NodeConnection } from './node-connection.ts'
import { nodeTls } from './node-tls.ts'
import { errnoOf } from './system-failure.ts'

/** See {@link Engine.secureAsClient}. */
export function secureAsClient(
  clock: Clock,
  connection: Connection,
  early: Uint8Array,
  options: SecureAsClientOptions,
): Securing {
  return new ClientSecuring(clock, connection, early, options)
}

class ClientSecuring implements Securing {
  readonly result: Promise<Connection | Failure>
  readonly #resolve: (result: Connection | Failure) => void
  readonly #connection: Connection
  readonly #carrier: Duplex
  readonly #timer: Timer
  #socket: TLSSocket | undefined

  constructor(clock: Clock, connection: Connection, early: Uint8Array, options: SecureAsClientOptions) {
    const { promise, resolve } = Promise.withResolvers<Connection | Failure>()
    this.result = promise
    this.#resolve = resolve
    this.#connection = connection
    this.#carrier = carrierOf(connection, early)
    this.#timer = clock.after(options.timeoutMs, () => this.#fail(failure('timed_out', 'target', 'no TLS handshake')))
    try {
      this.#socket = nodeTls().connect(tlsOptions(options, this.#carrier))
    } catch (error) {
      this.#fail(failure('general_failure', 'us', `the certificate or its key cannot be used: ${errnoOf(error)}`))
      return
    }
    this.#socket.pause()
    this.#socket.on('error', this.#onError)
    this.#socket.once('close', this.#onClose)
    this.#socket.once('secureConnect', this.#onSecure)
  }

  cancel(): void {
    this.#fail(failure('aborted', 'us', 'the handshake was given up'))
  }

  readonly #onSecure = (): void => {
    const socket = this.#socket as TLSSocket
    this.#timer.cancel()
    socket.off('close', this.#onClose).off('error', this.#onError)
    socket.allowHalfOpen = true
    const { local, remote } = this.#connection
    const carrier = this.#connection instanceof NodeConnection ? (this.#carrier as Socket) : undefined
    this.#resolve(new NodeConnection(socket, { local, remote, ...(carrier && { carrier }) }))
  }

  readonly #onError = (error: Error): void => {
    const errno = errnoOf(error)
    const isDoubted = this.#socket?.authorizationError !== undefined && this.#socket.authorizationError !== null
    const isGone = errno === 'ECONNRESET' || errno === 'EPIPE'
    const code = isDoubted ? 'not_allowed' : isGone ? 'aborted' : 'unknown_protocol'
    this.#fail({ code, blame: 'target', ...(errno !== undefined && { errno }) })
  }

  readonly #onClose = (): void => this.#fail(failure('aborted', 'target', 'gone in the TLS handshake'))

  /** After the connection was handed out, this only destroys it. */
  #fail(why: Failure): void {
    this.#timer.cancel()
    this.#socket?.on('error', () => {})
    this.#socket?.destroy()
    this.#carrier.destroy()
    this.#resolve(why)
  }
}

function carrierOf(connection: Connection, early: Uint8Array): Duplex {
  if (!(connection instanceof NodeConnection)) return new ConnectionDuplex(connection, early)
  const socket = connection.release()
  if (early.length > 0) socket.unshift(early)
  // FIN in the middle of a handshake is the end of it. The TLS socket takes this from its carrier.
  socket.allowHalfOpen = false
  return socket
}

function tlsOptions(options: SecureAsClientOptions, socket: Duplex): ConnectionOptions {
  const { serverName, authorities, certificate, key } = options
  return {
    socket,
    // Without a name to send, Node compares the certificate with `host`.
    host: serverName,
    ...(isIP(serverName) === 0 && { servername: serverName }),
    ...(authorities !== undefined && { ca: authorities }),
    ...(certificate !== undefined && { cert: certificate }),
    ...(key !== undefined && { key }),
    rejectUnauthorized: options.dangerAcceptAnyCertificate !== true,
  }
}

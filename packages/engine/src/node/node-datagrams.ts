/** Datagrams with `node:dgram`. What cannot be sent is dropped, as UDP may; what went wrong is told, not thrown. */
import { createSocket } from 'node:dgram'
import type { RemoteInfo, Socket } from 'node:dgram'
import type { Endpoint, Failure } from '@socksmith/protocol'
import type { DatagramHandler, DatagramSocket, SocketOptions } from '../ports.ts'
import { DIAL_RESERVE, leavesTooFew, OUT_OF_DESCRIPTORS } from './descriptors.ts'
import { socketOptionsFault } from './node-socket-options.ts'
import { endpointOf, hostOf } from './place.ts'
import { systemFailure } from './system-failure.ts'

/** Octets of the kernel's receive buffer that are asked for: a burst of 16 of the largest datagrams. */
const RECEIVE_BUFFER_OCTETS = 1024 * 1024
/** Octets that may wait in this process for the kernel; more are dropped, because late datagrams are of no use. */
const SEND_QUEUE_OCTETS_MAX = 1024 * 1024

/** Opens a socket bound to `local`, or says why not. */
export function openDatagrams(
  local: Endpoint,
  handler: DatagramHandler,
  options: SocketOptions = {},
): Promise<DatagramSocket | Failure> {
  const fault = socketOptionsFault(options)
  if (fault !== undefined) return Promise.resolve(fault)
  const { promise, resolve } = Promise.withResolvers<DatagramSocket | Failure>()
  const family = local.address.type === 'ipv4' ? 4 : 6
  const socket = createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    ipv6Only: family === 6,
    // Every address is a number already; Node's own lookup would put each datagram off to a later turn.
    lookup: (host, _options, callback) => callback(null, host, family),
  })
  const fail = (why: Failure): void => {
    socket.on('error', () => {})
    socket.close()
    resolve(why)
  }
  const onError = (error: Error): void => fail(systemFailure(error, 'us'))
  socket.once('error', onError)
  socket.bind({ address: hostOf(local.address), port: local.port, exclusive: true }, () => {
    socket.off('error', onError)
    if (leavesTooFew(socket, DIAL_RESERVE)) return fail(OUT_OF_DESCRIPTORS)
    widen(socket)
    try {
      resolve(new NodeDatagramSocket(socket, handler))
    } catch (error) {
      // The system did not tell where it is bound.
      fail(systemFailure(error, 'us'))
    }
  })
  return promise
}

// With the system's own buffer it works too: a long burst loses more.
function widen(socket: Socket): void {
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_OCTETS)
  } catch {}
}

class NodeDatagramSocket implements DatagramSocket {
  readonly local: Endpoint
  readonly #socket: Socket
  readonly #handler: DatagramHandler
  #isClosed = false

  constructor(socket: Socket, handler: DatagramHandler) {
    const { address, port } = socket.address()
    this.local = endpointOf(address, port) as Endpoint
    this.#socket = socket
    this.#handler = handler
    socket.on('message', this.#onMessage)
    socket.on('error', this.#onError)
  }

  send(octets: Uint8Array, to: Endpoint): void {
    if (this.#isClosed || this.#socket.getSendQueueSize() > SEND_QUEUE_OCTETS_MAX) return
    // Node says "bad port" by a throw.
    if (to.port === 0) return this.#handler.onFailure({ code: 'general_failure', blame: 'us', errno: 'EINVAL' })
    this.#socket.send(Buffer.from(octets), to.port, hostOf(to.address), error => error && this.#onError(error))
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#socket.close()
  }

  readonly #onMessage = (octets: Uint8Array, from: RemoteInfo): void => {
    const endpoint = endpointOf(from.address, from.port)
    if (endpoint && !this.#isClosed) this.#handler.onDatagram(octets, endpoint, 0)
  }

  readonly #onError = (error: Error): void => {
    if (!this.#isClosed) this.#handler.onFailure(systemFailure(error))
  }
}

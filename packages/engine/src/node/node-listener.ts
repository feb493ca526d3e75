/**
 * A listener with `node:net`. Node cannot leave a connection in the kernel's queue: what comes during a pause is
 * accepted, held unread up to the length of the backlog, and handed out later; for the client it is the same.
 * Out of descriptors likewise: a newcomer that would take one of the reserve is closed, and libuv does the same with its
 * own spare descriptor when there is none left at all. Neither spins, and no client waits for nothing.
 */
import { createServer } from 'node:net'
import type { ListenOptions as NodeListenOptions, Server, Socket } from 'node:net'
import type { Failure } from '@socksmith/protocol'
import type { Clock, Listener, ListenHandler, ListenOptions, Place } from '../ports.ts'
import { removeDeadSocket } from './dead-socket.ts'
import { ACCEPT_RESERVE, leavesTooFew, OUT_OF_DESCRIPTORS } from './descriptors.ts'
import { NodeConnection, STREAM_OPTIONS, keepAlive } from './node-connection.ts'
import { socketOptionsFault } from './node-socket-options.ts'
import { modeFault } from './socket-mode.ts'
import { hostOf, NAMELESS_UNIX, placeOf } from './place.ts'
import { systemFailure } from './system-failure.ts'

/** Milliseconds between two reports of the same trouble: a full server must not fill its log too. */
export const ACCEPT_FAILURE_EVERY_MS = 10_000

/** Listens, or says why not. */
export async function listen(
  clock: Clock,
  options: ListenOptions,
  handler: ListenHandler,
): Promise<Listener | Failure> {
  const fault = socketOptionsFault(options)
  if (fault !== undefined) return fault
  const first = await open(options)
  const isTaken = options.place.kind === 'unix' && 'code' in first && first.errno === 'EADDRINUSE'
  const opened = isTaken && (await removeDeadSocket(options.place.path)) ? await open(options) : first
  return 'code' in opened ? opened : new NodeListener(clock, opened, options, handler)
}

class NodeListener implements Listener {
  readonly place: Place
  readonly #clock: Clock
  readonly #server: Server
  readonly #handler: ListenHandler
  readonly #heldMax: number
  #held: NodeConnection[] = []
  #isPaused = false
  #lastReportMs = -Infinity

  constructor(clock: Clock, { server, place }: Open, options: ListenOptions, handler: ListenHandler) {
    this.#clock = clock
    this.#server = server
    this.#handler = handler
    this.#heldMax = options.backlog
    this.place = place
    server.on('connection', this.#onSocket)
    server.on('error', error => this.#report(systemFailure(error, 'us')))
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    // The handler may pause again at any of them.
    for (let next; !this.#isPaused && (next = this.#held.shift());) this.#handler.onConnection(next)
  }

  close(): Promise<void> {
    // Node calls back only when the last connection is gone too; the port is free at once.
    this.#server.close()
    for (const connection of this.#held.splice(0)) connection.reset()
    return Promise.resolve()
  }

  readonly #onSocket = (socket: Socket): void => {
    if (leavesTooFew(socket, ACCEPT_RESERVE)) {
      socket.on('error', () => {})
      socket.destroy()
      return this.#report(OUT_OF_DESCRIPTORS)
    }
    const connection = this.#connectionOf(socket)
    if (connection === undefined) return
    if (!this.#isPaused) this.#handler.onConnection(connection)
    else if (this.#held.length < this.#heldMax) this.#held.push(connection)
    else connection.reset()
  }

  /** The connection of an accepted socket, unless it was reset before it was accepted: then it has no address any more. */
  #connectionOf(socket: Socket): NodeConnection | undefined {
    if (this.place.kind === 'unix') return new NodeConnection(socket, { local: this.place, remote: NAMELESS_UNIX })
    const local = placeOf(socket.localAddress, socket.localPort)
    const remote = placeOf(socket.remoteAddress, socket.remotePort)
    if (local && remote) {
      keepAlive(socket)
      return new NodeConnection(socket, { local, remote })
    }
    socket.on('error', () => {})
    socket.destroy()
    return undefined
  }

  #report(why: Failure): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#lastReportMs < ACCEPT_FAILURE_EVERY_MS) return
    this.#lastReportMs = nowMs
    this.#handler.onAcceptFailure(why)
  }
}

interface Open {
  readonly server: Server
  /** Where it listens in truth. */
  readonly place: Place
}

function open(options: ListenOptions): Promise<Open | Failure> {
  const { promise, resolve } = Promise.withResolvers<Open | Failure>()
  const server = createServer({ ...STREAM_OPTIONS, pauseOnConnect: true })
  const fail = (why: Failure): void => {
    if (server.listening) server.close()
    resolve(why)
  }
  const onError = (error: unknown): void => fail(systemFailure(error, 'us'))
  server.once('error', onError)
  server.once('listening', () => {
    server.off('error', onError)
    try {
      resolve({ server, place: placeOfServer(server) ?? options.place })
    } catch (error) {
      // The system did not tell where it is bound.
      onError(error)
    }
  })
  server.listen(nodeOptions(options))
  // Node has bound already, or failed.
  const fault = server.listening ? modeFault(options) : undefined
  if (fault !== undefined) fail(fault)
  return promise
}

function nodeOptions({ place, backlog, dualStack, descriptor }: ListenOptions): NodeListenOptions & { fd?: number } {
  if (descriptor !== undefined) return { fd: descriptor, backlog, exclusive: true }
  // `exclusive`: a program that forks with node:cluster gets what it asked for, not a socket of its parent.
  if (place.kind === 'unix') return { path: place.path, backlog, exclusive: true }
  const { address, port } = place.endpoint
  return { host: hostOf(address), port, backlog, exclusive: true, ipv6Only: address.type === 'ipv6' && !dualStack }
}

function placeOfServer(server: Server): Place | undefined {
  const address = server.address()
  return address === null || typeof address === 'string' ? undefined : placeOf(address.address, address.port)
}

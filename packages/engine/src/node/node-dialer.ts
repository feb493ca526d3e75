/** One attempt to reach one place with `node:net`: no names, no second address. */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { failure } from '@socksmith/protocol'
import type { Failure } from '@socksmith/protocol'
import type { Clock, Connection, Dialing, DialOptions, Place, Timer } from '../ports.ts'
import { DIAL_RESERVE, leavesTooFew, OUT_OF_DESCRIPTORS } from './descriptors.ts'
import { NodeConnection, STREAM_OPTIONS, keepAlive } from './node-connection.ts'
import { socketOptionsFault } from './node-socket-options.ts'
import { hostOf, NAMELESS_UNIX } from './place.ts'
import { systemFailure } from './system-failure.ts'

/** Starts one attempt. */
export function dial(clock: Clock, to: Place, options: DialOptions): Dialing {
  const fault = socketOptionsFault(options)
  if (fault !== undefined) return { result: Promise.resolve(fault), cancel: () => {} }
  return new NodeDialing(clock, to, options)
}

class NodeDialing implements Dialing {
  readonly result: Promise<Connection | Failure>
  readonly #socket: Socket
  readonly #timer: Timer
  readonly #to: Place
  readonly #keepsAlive: boolean
  readonly #resolve: (result: Connection | Failure) => void

  constructor(clock: Clock, to: Place, options: DialOptions) {
    const { promise, resolve } = Promise.withResolvers<Connection | Failure>()
    this.result = promise
    this.#resolve = resolve
    this.#to = to
    this.#keepsAlive = to.kind === 'ip' && options.keepAlive !== false
    this.#socket = open(to, options)
    // Paused before it is connected: nothing is read until somebody asks.
    this.#socket.pause()
    this.#socket.once('connect', this.#onConnect)
    this.#socket.once('error', this.#onError)
    this.#timer = clock.after(options.timeoutMs, () => this.#fail(failure('timed_out', 'target')))
    if (leavesTooFew(this.#socket, DIAL_RESERVE)) this.#fail(OUT_OF_DESCRIPTORS)
  }

  cancel(): void {
    this.#fail(failure('aborted', 'us', 'the attempt was given up'))
  }

  readonly #onConnect = (): void => {
    this.#timer.cancel()
    const socket = this.#socket
    // It was reset in this very turn.
    if (socket.destroyed) return this.#fail(failure('connection_refused', 'target'))
    const local = this.#to.kind === 'unix' ? { local: NAMELESS_UNIX } : {}
    if (this.#keepsAlive) keepAlive(socket)
    this.#resolve(new NodeConnection(socket, { ...local, remote: this.#to }))
    socket.off('error', this.#onError)
  }

  readonly #onError = (error: Error): void => this.#fail(systemFailure(error))

  /** After the connection was handed out, this only destroys it. */
  #fail(why: Failure): void {
    this.#timer.cancel()
    // An error of a socket that was given up is of no interest, but must not be left without a listener.
    this.#socket.on('error', () => {})
    this.#socket.destroy()
    this.#resolve(why)
  }
}

function open(to: Place, options: DialOptions): Socket {
  if (to.kind === 'unix') return connect({ path: to.path, allowHalfOpen: true })
  const { address, port } = to.endpoint
  const leaveBy = options.localAddress === undefined ? {} : { localAddress: hostOf(options.localAddress) }
  return connect({ host: hostOf(address), port, autoSelectFamily: false, ...leaveBy, ...STREAM_OPTIONS })
}

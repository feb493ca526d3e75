/** One attempt to reach one place: no names, no second address. */
import { type Failure, failure } from '@socksmith/protocol'
import { DESCRIPTORS_MAX, DIAL_RESERVE, OUT_OF_DESCRIPTORS } from '../node/descriptors.ts'
import { errnoFailure } from '../node/system-failure.ts'
import type { Clock, Connection, Dialing, DialOptions, Place, Timer } from '../ports.ts'
import {
  EAGAIN,
  EINPROGRESS,
  EPOLLERR,
  EPOLLHUP,
  SO_ERROR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from './abi.ts'
import { withoutPacing } from './congestion.ts'
import type { EventLoop, Watched } from './event-loop.ts'
import { LinuxConnection, STREAM_EVENTS } from './linux-connection.ts'
import { familyOf, SOCKET_ADDRESS_OCTETS, writePlace } from './socket-address.ts'
import { setSocketOptions } from './socket-options.ts'
import { setStreamOptions } from './stream-options.ts'
import { errnoName } from './system-calls.ts'

const NAME = Buffer.alloc(SOCKET_ADDRESS_OCTETS)
const VALUE = Buffer.alloc(4)
const VALUE_LENGTH = Buffer.from([4, 0, 0, 0])

/** Starts one attempt. */
export function dial(loop: EventLoop, clock: Clock, to: Place, options: DialOptions): Dialing {
  return new LinuxDialing(loop, clock, to, options)
}

class LinuxDialing implements Dialing, Watched {
  readonly result: Promise<Connection | Failure>
  readonly #loop: EventLoop
  readonly #to: Place
  #resolve: (result: Connection | Failure) => void = () => {}
  #fd = -1
  #timer: Timer | undefined
  #connection: LinuxConnection | undefined

  constructor(loop: EventLoop, clock: Clock, to: Place, options: DialOptions) {
    this.#loop = loop
    this.#to = to
    this.result = new Promise(resolve => {
      this.#resolve = resolve
    })
    const refused = this.#start(options)
    if (refused !== undefined) this.#fail(refused)
    else if (this.#connection === undefined) {
      this.#timer = clock.after(options.timeoutMs, () => this.#fail(failure('timed_out', 'target')))
    }
  }

  cancel(): void {
    this.#connection?.destroy()
    this.#fail(failure('aborted', 'us', 'the attempt was given up'))
  }

  onEvents(events: number): void {
    // Asked only where there may be one.
    const errno = (events & (EPOLLERR | EPOLLHUP)) === 0 ? 0 : this.#askError()
    if (errno !== 0) return this.#fail(errnoFailure(errnoName(errno)))
    this.#settle(events)
  }

  #start(options: DialOptions): Failure | undefined {
    const { localAddress, keepAlive } = options
    const { calls } = this.#loop
    const family = familyOf(this.#to)
    const fd = calls.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if (fd < 0) return errnoFailure(errnoName(calls.errno()))
    this.#fd = fd
    if (fd >= DESCRIPTORS_MAX - DIAL_RESERVE) return OUT_OF_DESCRIPTORS
    if (this.#to.kind === 'ip') {
      setStreamOptions(calls, fd, keepAlive)
      const refused = setSocketOptions(calls, fd, family, options)
      if (refused !== undefined) return refused
    }
    withoutPacing(calls, fd, this.#to)
    if (localAddress !== undefined) {
      const length = writePlace({ kind: 'ip', endpoint: { address: localAddress, port: 0 } }, NAME)
      if (calls.bind(fd, NAME, length) < 0) return errnoFailure(errnoName(calls.errno()))
    }
    const length = writePlace(this.#to, NAME)
    if (length === 0) return errnoFailure('ENAMETOOLONG')
    const connected = calls.connect(fd, NAME, length)
    const errno = connected < 0 ? calls.errno() : 0
    // A Unix socket whose queue is full says EAGAIN, and would never tell when there is room.
    if (errno !== 0 && errno !== EINPROGRESS) {
      return errno === EAGAIN ? failure('too_busy', 'target') : errnoFailure(errnoName(errno))
    }
    return this.#loop.register(fd, STREAM_EVENTS, this)
  }

  #settle(events: number): void {
    this.#timer?.cancel()
    const fd = this.#fd
    this.#fd = -1
    const connection = new LinuxConnection(this.#loop, fd, this.#to)
    this.#connection = connection
    this.#loop.replace(fd, connection)
    connection.onEvents(events)
    this.#resolve(connection)
  }

  #askError(): number {
    const asked = this.#loop.calls.getsockopt(this.#fd, SOL_SOCKET, SO_ERROR, VALUE, VALUE_LENGTH)
    return asked < 0 ? this.#loop.calls.errno() : VALUE.readInt32LE(0)
  }

  #fail(why: Failure): void {
    this.#timer?.cancel()
    if (this.#fd >= 0) {
      this.#loop.forget(this.#fd, false)
      this.#loop.calls.close(this.#fd)
      this.#fd = -1
    }
    this.#resolve(why)
  }
}

/**
 * Accepts connections from a listening socket of this thread's event loop. A pause, and a lack of descriptors, leave the
 * newcomers in the kernel's queue. The socket may be shared with other threads: then one of them is woken.
 */
import type { Failure } from '@socksmith/protocol'
import { ACCEPT_RESERVE, DESCRIPTORS_MAX, OUT_OF_DESCRIPTORS } from '../node/descriptors.ts'
import { NAMELESS_UNIX } from '../node/place.ts'
import { errnoFailure } from '../node/system-failure.ts'
import type { Clock, Listener, ListenHandler, ListenOptions, Place, Timer } from '../ports.ts'
import {
  ECONNABORTED,
  EAGAIN,
  EINTR,
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  EPOLLEXCLUSIVE,
  EPOLLIN,
  F_DUPFD_CLOEXEC,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
} from './abi.ts'
import { withoutPacing } from './congestion.ts'
import type { EventLoop, Watched } from './event-loop.ts'
import { LinuxConnection, STREAM_EVENTS } from './linux-connection.ts'
import {
  type ListeningSocket,
  adoptListeningSocket,
  openListeningSocket,
  removeSocketFile,
} from './listening-socket.ts'
import { readEndpoint, SOCKET_ADDRESS_OCTETS } from './socket-address.ts'
import { setKeepIdle } from './stream-options.ts'
import { errnoName } from './system-calls.ts'

/** Accepted in one go, until those who are served already have their turn. */
const ACCEPTS_A_TURN = 16
/** So many in a row are asked by the kernel at the same time whether they are there; one each would be a system call each. */
const ACCEPTS_ASKED_TOGETHER = 64
/** Milliseconds until accepting is tried again after descriptors or memory ran out. */
export const ACCEPT_AGAIN_MS = 100
/** Milliseconds between two reports of the same trouble: a full server must not fill its log too. */
const ACCEPT_FAILURE_EVERY_MS = 10_000

const SHORTAGES: ReadonlySet<number> = new Set([EMFILE, ENFILE, ENOBUFS, ENOMEM])
const NAME = Buffer.alloc(SOCKET_ADDRESS_OCTETS)
const NAME_LENGTH = Buffer.alloc(4)

/** Listens, or says why not. */
export async function listen(
  loop: EventLoop,
  clock: Clock,
  options: ListenOptions,
  handler: ListenHandler,
): Promise<Listener | Failure> {
  const { descriptor, place } = options
  if (descriptor !== undefined) {
    const shared = adoptListeningSocket(loop.calls, descriptor, place)
    return new LinuxListener(loop, clock, shared, true, handler).start()
  }
  const opened = await openListeningSocket(loop.calls, options)
  return 'code' in opened ? opened : new LinuxListener(loop, clock, opened, false, handler).start()
}

class LinuxListener implements Listener, Watched {
  readonly place: Place
  readonly #loop: EventLoop
  readonly #clock: Clock
  readonly #fd: number
  readonly #isShared: boolean
  readonly #handler: ListenHandler
  // A wildcard listener's connections each have their own.
  readonly #localPlace: Place | undefined
  #isRegistered = false
  #isPaused = false
  #isClosed = false
  #accepts = 0
  #again: Timer | undefined
  #lastReportMs = -Infinity

  constructor(loop: EventLoop, clock: Clock, socket: ListeningSocket, isShared: boolean, handler: ListenHandler) {
    this.place = socket.place
    this.#loop = loop
    this.#clock = clock
    this.#fd = socket.fd
    this.#isShared = isShared
    this.#handler = handler
    this.#localPlace = isWildcard(socket.place) ? undefined : socket.place
  }

  /** Starts to accept; where that is impossible the socket is closed again. */
  async start(): Promise<this | Failure> {
    const unwatched = this.#register()
    if (unwatched === undefined) return this
    this.#isPaused = true
    await this.close()
    return unwatched
  }

  pause(): void {
    this.#isPaused = true
    this.#unregister()
  }

  resume(): void {
    this.#isPaused = false
    if (!this.#isClosed && this.#again === undefined) this.#registerOrWait()
  }

  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    // Who has come before this moment is connected, as far as its kernel says.
    if (!this.#isPaused) this.#acceptAll()
    this.#isClosed = true
    this.#again?.cancel()
    this.#unregister()
    if (this.#isShared) return Promise.resolve()
    this.#loop.calls.close(this.#fd)
    removeSocketFile(this.place)
    return Promise.resolve()
  }

  onEvents(): void {
    for (let accepted = 0; accepted < ACCEPTS_A_TURN; accepted++) if (!this.#acceptOne()) return
  }

  #acceptAll(): void {
    while (this.#acceptOne());
  }

  /** True when another one may be waiting. */
  #acceptOne(): boolean {
    if (this.#isPaused || this.#isClosed || this.#again !== undefined) return false
    const { calls } = this.#loop
    NAME_LENGTH.writeUInt32LE(NAME.length, 0)
    const fd = calls.accept4(this.#fd, NAME, NAME_LENGTH, SOCK_NONBLOCK | SOCK_CLOEXEC)
    if (fd < 0) return this.#onRefused(calls.errno())
    // This one is served, at the cost of the reserve; who comes next waits in the kernel's queue.
    if (fd >= DESCRIPTORS_MAX - ACCEPT_RESERVE) this.#waitForDescriptors(OUT_OF_DESCRIPTORS)
    if (++this.#accepts % ACCEPTS_ASKED_TOGETHER === 0 && this.place.kind === 'ip') setKeepIdle(calls, this.#fd)
    const remote = this.#remotePlace()
    if (remote === undefined) calls.close(fd)
    else {
      // Where it listens on one address the socket has inherited this already.
      if (this.#localPlace === undefined) withoutPacing(calls, fd, remote)
      const connection = new LinuxConnection(this.#loop, fd, remote, this.#localPlace)
      const unwatched = this.#loop.register(fd, STREAM_EVENTS, connection)
      if (unwatched === undefined) this.#handler.onConnection(connection)
      else {
        calls.close(fd)
        this.#report(unwatched)
      }
    }
    return this.#again === undefined
  }

  #remotePlace(): Place | undefined {
    if (this.place.kind === 'unix') return NAMELESS_UNIX
    const endpoint = readEndpoint(NAME, 0)
    return endpoint && { kind: 'ip', endpoint }
  }

  #onRefused(errno: number): boolean {
    if (errno === EAGAIN) return false
    if (errno === EINTR || errno === ECONNABORTED) return true
    const isShortage = SHORTAGES.has(errno)
    const isOurs = errno === EMFILE || errno === ENFILE
    this.#report(isOurs ? { ...OUT_OF_DESCRIPTORS, errno: errnoName(errno) } : errnoFailure(errnoName(errno), 'us'))
    if (isShortage) this.#waitForDescriptors()
    return !isShortage
  }

  // The descriptor would be reported as readable for ever; and there is nothing to do until somebody leaves.
  #waitForDescriptors(why?: Failure): void {
    if (why !== undefined) this.#report(why)
    this.#unregister()
    this.#again = this.#clock.after(ACCEPT_AGAIN_MS, () => {
      this.#again = undefined
      if (!this.#hasRoom()) this.#waitForDescriptors()
      else if (!this.#isPaused && !this.#isClosed) this.#registerOrWait()
    })
  }

  /** The kernel gives the lowest free number, which tells how many are taken. */
  #hasRoom(): boolean {
    const { calls } = this.#loop
    const lowest = calls.fcntl(this.#fd, F_DUPFD_CLOEXEC, 0)
    if (lowest >= 0) calls.close(lowest)
    return lowest >= 0 && lowest < DESCRIPTORS_MAX - ACCEPT_RESERVE
  }

  #registerOrWait(): void {
    const unwatched = this.#register()
    if (unwatched !== undefined) this.#waitForDescriptors(unwatched)
  }

  #register(): Failure | undefined {
    if (this.#isRegistered) return undefined
    const unwatched = this.#loop.register(this.#fd, this.#isShared ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN, this)
    this.#isRegistered = unwatched === undefined
    return unwatched
  }

  #unregister(): void {
    if (!this.#isRegistered) return
    this.#isRegistered = false
    this.#loop.forget(this.#fd, true)
  }

  #report(why: Failure): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#lastReportMs < ACCEPT_FAILURE_EVERY_MS) return
    this.#lastReportMs = nowMs
    this.#handler.onAcceptFailure(why)
  }
}

function isWildcard(place: Place): boolean {
  return place.kind === 'ip' && place.endpoint.address.octets.every(octet => octet === 0)
}

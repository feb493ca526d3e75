/**
 * Every binding to the C library, and the only file that may hold one. Arguments are 32- and 64-bit integers and pointers
 * to Buffers that the caller keeps alive; structures are laid out by hand. Nothing here blocks: descriptors are
 * non-blocking, and the answer of a failed call is -1 with its reason in `errno()`.
 */
import { createRequire } from 'node:module'
import { getSystemErrorName } from 'node:util'
import type * as Koffi from 'koffi'
import {
  EAGAIN,
  EPOLL_CTL_ADD,
  EPOLL_EVENT,
  EPOLLIN,
  O_CLOEXEC,
  O_NONBLOCK,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
} from './abi.ts'

/** Calls back whenever the descriptor is readable, until it is closed. The loop of Node waits for it. */
export interface DescriptorWatch {
  close(): void
}

/** The calls, by their names in the manual. A pointer may be `null` where the manual allows it. */
export interface SystemCalls {
  errno(): number
  /** Where the octets of a Buffer are; valid as long as the Buffer is held. */
  addressOf(octets: Uint8Array): bigint
  watch(fd: number, onReadable: () => void): DescriptorWatch
  socket(domain: number, type: number, protocol: number): number
  bind(fd: number, address: Uint8Array, length: number): number
  listen(fd: number, backlog: number): number
  accept4(fd: number, address: Uint8Array, length: Uint8Array, flags: number): number
  connect(fd: number, address: Uint8Array, length: number): number
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint8Array): number
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number
  shutdown(fd: number, how: number): number
  close(fd: number): number
  /** The descriptor has a new owner in this process, who will close it. */
  disown(fd: number): void
  recv(fd: number, octets: Uint8Array, length: number, flags: number): number
  send(fd: number, octets: Uint8Array, length: number, flags: number): number
  recvmmsg(fd: number, messages: Uint8Array, count: number, flags: number, timeout: null): number
  sendmmsg(fd: number, messages: Uint8Array, count: number, flags: number): number
  pipe2(both: Uint8Array, flags: number): number
  splice(from: number, fromOffset: null, to: number, toOffset: null, length: number, flags: number): number
  /** `fcntl` with an integer argument. */
  fcntl(fd: number, command: number, argument: number): number
  epollCreate1(flags: number): number
  epollCtl(epoll: number, operation: number, fd: number, event: Uint8Array): number
  epollWait(epoll: number, events: Uint8Array, count: number, timeoutMs: number): number
  /** Gives memory that was freed back to the kernel; 1 when there was some. Takes some 20 ms after a large crowd. */
  mallocTrim(pad: number): number
  /** Sets a parameter of the allocator, for all threads; 1 when that was possible. */
  mallopt(parameter: number, value: number): number
}

/** The calls, or one sentence on why there are none. */
export type LoadedCalls =
  | { readonly kind: 'loaded'; readonly calls: SystemCalls }
  | { readonly kind: 'missing'; readonly reason: string }

let loaded: LoadedCalls | undefined

/** Loads and tries the bindings, once in each thread. */
export function loadSystemCalls(): LoadedCalls {
  loaded ??= load()
  return loaded
}

/** The name of an `errno`, such as `ECONNREFUSED`. */
export function errnoName(errno: number): string {
  return getSystemErrorName(-errno)
}

function load(): LoadedCalls {
  if (process.platform !== 'linux') return missing(`it needs Linux, and this is ${process.platform}`)
  if (process.arch !== 'x64' && process.arch !== 'arm64') {
    return missing(`it needs x86-64 or arm64, and this is ${process.arch}`)
  }
  let koffi: typeof Koffi
  try {
    koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
  } catch {
    return missing('the package koffi is not installed (npm install koffi)')
  }
  try {
    const calls = bindAll(koffi)
    const fault = selfTest(calls)
    return fault === undefined ? { kind: 'loaded', calls } : missing(`its self-test failed: ${fault}`)
  } catch (error) {
    return missing(`the C library cannot be used: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function missing(reason: string): LoadedCalls {
  return { kind: 'missing', reason }
}

function bindAll(koffi: typeof Koffi): SystemCalls {
  const { load: open, node, errno, address } = koffi
  const library = open('libc.so.6')
  // What the declarations below say is what the interface above says; koffi cannot know it.
  const bind = (declaration: string): never => library.func(declaration) as never
  return {
    errno: () => errno(),
    addressOf: octets => address(octets),
    watch: (fd, onReadable) => node.poll(fd, { readable: true }, onReadable),
    socket: bind('int socket(int, int, int)'),
    bind: bind('int bind(int, const void *, uint32_t)'),
    listen: bind('int listen(int, int)'),
    accept4: bind('int accept4(int, void *, void *, int)'),
    connect: bind('int connect(int, const void *, uint32_t)'),
    getsockname: bind('int getsockname(int, void *, void *)'),
    getsockopt: bind('int getsockopt(int, int, int, void *, void *)'),
    setsockopt: bind('int setsockopt(int, int, int, const void *, uint32_t)'),
    shutdown: bind('int shutdown(int, int)'),
    close: bind('int close(int)'),
    disown: () => {},
    // ssize_t and size_t: 64 bits on both machines, and no length here needs more than 31 of them.
    recv: bind('int64_t recv(int, void *, int64_t, int)'),
    send: bind('int64_t send(int, const void *, int64_t, int)'),
    recvmmsg: bind('int recvmmsg(int, void *, uint32_t, int, void *)'),
    sendmmsg: bind('int sendmmsg(int, void *, uint32_t, int)'),
    pipe2: bind('int pipe2(void *, int)'),
    splice: bind('int64_t splice(int, void *, int, void *, int64_t, uint32_t)'),
    fcntl: bind('int fcntl(int, int, int)'),
    epollCreate1: bind('int epoll_create1(int)'),
    epollCtl: bind('int epoll_ctl(int, int, int, void *)'),
    epollWait: bind('int epoll_wait(int, void *, int, int)'),
    mallocTrim: bind('int malloc_trim(int64_t)'),
    mallopt: bind('int mallopt(int, int)'),
  }
}

/** Tries the layouts and the calls that cannot be done without; answers what is wrong. */
function selfTest(calls: SystemCalls): string | undefined {
  const opened: number[] = []
  try {
    const [first, second] = [openPipe(calls, opened), openPipe(calls, opened)]
    const epoll = calls.epollCreate1(O_CLOEXEC)
    if (!first || !second || epoll < 0) return `cannot open a pipe: ${errnoName(calls.errno())}`
    opened.push(epoll)
    return tryErrno(calls, first) ?? tryEpollAndSplice(calls, epoll, first, second)
  } finally {
    for (const fd of opened) calls.close(fd)
  }
}

interface Ends {
  readonly read: number
  readonly write: number
}

function openPipe(calls: SystemCalls, opened: number[]): Ends | undefined {
  const both = new Int32Array(2)
  if (calls.pipe2(new Uint8Array(both.buffer), O_CLOEXEC | O_NONBLOCK) < 0) return undefined
  const [read = -1, write = -1] = both
  opened.push(read, write)
  return { read, write }
}

function tryErrno(calls: SystemCalls, empty: Ends): string | undefined {
  const moved = calls.splice(empty.read, null, empty.write, null, 1, SPLICE_F_NONBLOCK)
  // A pipe onto itself is EINVAL, or EAGAIN where the kernel looks at the octets first.
  if (moved !== -1) return 'a splice from a pipe to itself succeeded'
  return calls.close(-1) === -1 && errnoName(calls.errno()) === 'EBADF' ? undefined : 'errno is not what it should be'
}

function tryEpollAndSplice(calls: SystemCalls, epoll: number, first: Ends, second: Ends): string | undefined {
  const event = Buffer.alloc(EPOLL_EVENT.octets)
  event.writeUInt32LE(EPOLLIN, 0)
  event.writeUInt32LE(0x1234_5678, EPOLL_EVENT.data)
  event.writeUInt32LE(0x7abc_def0, EPOLL_EVENT.data + 4)
  if (calls.epollCtl(epoll, EPOLL_CTL_ADD, second.read, event) < 0) return 'epoll_ctl'
  const got = Buffer.alloc(EPOLL_EVENT.octets)
  if (calls.epollWait(epoll, got, 1, 0) !== 0) return 'epoll_wait saw something where nothing is'
  if (calls.splice(first.read, null, second.write, null, 8, SPLICE_F_MOVE | SPLICE_F_NONBLOCK) !== -1) return 'splice'
  if (calls.errno() !== EAGAIN) return `splice from an empty pipe: ${errnoName(calls.errno())}`
  return undefined
}

/**
 * Which thread opened which descriptor, in shared memory. Descriptors belong to the process: when a thread dies, those that
 * it opened by system calls stay open, and somebody else has to close them.
 */
import { DESCRIPTORS_MAX } from '../node/descriptors.ts'
import { SO_LINGER, SOL_SOCKET } from './abi.ts'
import { loadSystemCalls, type SystemCalls } from './system-calls.ts'

/** More is not watched over: where the limit on descriptors is higher, a dead thread may leave some open. */
const WATCHED_MAX = 1_048_576

/** One octet for each descriptor: the number of its thread, from 1 to 127, or 0; and whether it is an epoll. */
export type DescriptorLedger = SharedArrayBuffer

const EPOLL_MARK = 0x80

/** A ledger for all threads of this process. */
export function createDescriptorLedger(): DescriptorLedger {
  return new SharedArrayBuffer(Math.min(WATCHED_MAX, DESCRIPTORS_MAX))
}

/** The same calls; what they open is noted as this thread's. `thread` is 1 to 127. */
export function recordedCalls(calls: SystemCalls, ledger: DescriptorLedger, thread: number): SystemCalls {
  const owners = new Uint8Array(ledger)
  const opened = (fd: number): number => {
    if (fd >= 0) owners[fd] = thread
    return fd
  }
  return {
    ...calls,
    socket: (domain, type, protocol) => opened(calls.socket(domain, type, protocol)),
    accept4: (fd, address, length, flags) => opened(calls.accept4(fd, address, length, flags)),
    epollCreate1(flags) {
      const fd = opened(calls.epollCreate1(flags))
      if (fd >= 0) owners[fd] = thread | EPOLL_MARK
      return fd
    },
    pipe2(both, flags) {
      const result = calls.pipe2(both, flags)
      const ends = new Int32Array(both.buffer, both.byteOffset, 2)
      if (result === 0) for (const fd of ends) opened(fd)
      return result
    },
    close(fd) {
      // Before it is closed: another thread may get the number in the same instant.
      owners[fd] = 0
      return calls.close(fd)
    },
    disown: fd => void (owners[fd] = 0),
  }
}

/**
 * Makes a thread deaf, so that it may be terminated: an event that comes while its environment is taken down would take the
 * whole process with it. It serves nothing any more from this moment on.
 */
export function silenceThread(ledger: DescriptorLedger, thread: number): void {
  closeAll(ledger, thread | EPOLL_MARK)
}

// struct linger { int l_onoff = 1; int l_linger = 0 }: close by RST.
const LINGER_NONE = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])

/**
 * Closes what a thread that is dead left open, its connections by RST: their peers must not take a part for the whole.
 * Answers how many descriptors there were.
 */
export function reclaimDescriptors(ledger: DescriptorLedger, thread: number): number {
  return closeAll(ledger, thread | EPOLL_MARK) + closeAll(ledger, thread)
}

function closeAll(ledger: DescriptorLedger, owner: number): number {
  const loaded = loadSystemCalls()
  if (loaded.kind === 'missing') return 0
  const owners = new Uint8Array(ledger)
  let count = 0
  for (let fd = owners.indexOf(owner); fd !== -1; fd = owners.indexOf(owner, fd + 1)) {
    owners[fd] = 0
    loaded.calls.setsockopt(fd, SOL_SOCKET, SO_LINGER, LINGER_NONE, LINGER_NONE.length)
    loaded.calls.close(fd)
    count++
  }
  return count
}

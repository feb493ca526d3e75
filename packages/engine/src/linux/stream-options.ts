/** What every TCP socket of the Linux engine is told, whether it dials or listens. */
import { nextKeepIdleSeconds } from '../keep-alive.ts'
import { IPPROTO_TCP, SO_KEEPALIVE, SOL_SOCKET, TCP_KEEPIDLE, TCP_NODELAY } from './abi.ts'
import type { SystemCalls } from './system-calls.ts'

const ONE = Buffer.from([1, 0, 0, 0])
const SECONDS = Buffer.alloc(4)

/** No delay, and probes for silent peers. Sockets that are accepted take these from the one that listens. */
export function setStreamOptions(calls: SystemCalls, fd: number, keepAlive = true): void {
  calls.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ONE, ONE.length)
  if (!keepAlive) return
  calls.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, ONE, ONE.length)
  setKeepIdle(calls, fd)
}

/** When the peer of this socket, or of those that it accepts from now on, is first asked whether it is there. */
export function setKeepIdle(calls: SystemCalls, fd: number): void {
  SECONDS.writeInt32LE(nextKeepIdleSeconds())
  calls.setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, SECONDS, SECONDS.length)
}

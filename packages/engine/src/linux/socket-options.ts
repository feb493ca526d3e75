/** Sets how a socket leaves this machine: interface, mark, an address that is not ours. Opens nothing. */
import type { Failure } from '@socksmith/protocol'
import { errnoFailure } from '../node/system-failure.ts'
import type { SocketOptions } from '../ports.ts'
import {
  AF_INET6,
  IP_FREEBIND,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_FREEBIND,
  SO_BINDTODEVICE,
  SO_MARK,
  SOL_SOCKET,
} from './abi.ts'
import { errnoName, type SystemCalls } from './system-calls.ts'

const ON = Buffer.from([1, 0, 0, 0])

/** Sets what is asked for on a socket of this family, before it is bound; why not, otherwise. */
export function setSocketOptions(
  calls: SystemCalls,
  fd: number,
  family: number,
  { interface: device, mark, freeBind }: SocketOptions,
): Failure | undefined {
  if (device !== undefined) {
    const name = Buffer.from(device)
    if (calls.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, name.length) < 0) {
      return refused(calls, `interface ${device}`)
    }
  }
  if (mark !== undefined) {
    const value = Buffer.alloc(4)
    value.writeUInt32LE(mark, 0)
    if (calls.setsockopt(fd, SOL_SOCKET, SO_MARK, value, value.length) < 0) return refused(calls, `mark ${mark}`)
  }
  if (freeBind === true) {
    const [level, name] = family === AF_INET6 ? [IPPROTO_IPV6, IPV6_FREEBIND] : [IPPROTO_IP, IP_FREEBIND]
    if (calls.setsockopt(fd, level, name, ON, ON.length) < 0) return refused(calls, 'an address that is not ours')
  }
  return undefined
}

function refused(calls: SystemCalls, what: string): Failure {
  const errno = errnoName(calls.errno())
  return { ...errnoFailure(errno, 'us'), detail: `${what}: ${errno}` }
}

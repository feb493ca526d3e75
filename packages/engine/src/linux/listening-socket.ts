/** Opens a listening socket: TCP or Unix. Answers a descriptor; accepts nothing. */
import { unlinkSync } from 'node:fs'
import type { Failure } from '@socksmith/protocol'
import { removeDeadSocket } from '../node/dead-socket.ts'
import { modeFault } from '../node/socket-mode.ts'
import { errnoFailure } from '../node/system-failure.ts'
import type { ListenOptions, Place } from '../ports.ts'
import {
  AF_INET6,
  F_GETFL,
  F_SETFL,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  O_NONBLOCK,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from './abi.ts'
import { withoutPacing } from './congestion.ts'
import { familyOf, readEndpoint, SOCKET_ADDRESS_OCTETS, writePlace } from './socket-address.ts'
import { setSocketOptions } from './socket-options.ts'
import { setStreamOptions } from './stream-options.ts'
import { errnoName, type SystemCalls } from './system-calls.ts'

/** A socket that listens, and where. */
export interface ListeningSocket {
  readonly fd: number
  /** With the real port when 0 was asked. */
  readonly place: Place
}

/** Binds and listens. The file of a Unix socket behind which nobody listens any more is removed first. */
export async function openListeningSocket(
  calls: SystemCalls,
  options: ListenOptions,
): Promise<ListeningSocket | Failure> {
  const first = open(calls, options)
  const retry = options.place.kind === 'unix' && 'code' in first && first.errno === 'EADDRINUSE'
  if (!retry || !(await removeDeadSocket(options.place.path))) return first
  return open(calls, options)
}

/** Prepares a socket that somebody else made: an accept on it must not wait, since the whole thread would. */
export function adoptListeningSocket(calls: SystemCalls, fd: number, place: Place): ListeningSocket {
  calls.fcntl(fd, F_SETFL, calls.fcntl(fd, F_GETFL, 0) | O_NONBLOCK)
  if (place.kind === 'ip') setAccepted(calls, fd, place)
  return { fd, place: placeOfSocket(calls, fd, place) }
}

/** Where a listening socket listens; the given place when it does not say. */
export function placeOfSocket(calls: SystemCalls, fd: number, place: Place): Place {
  if (place.kind === 'unix') return place
  const name = Buffer.alloc(SOCKET_ADDRESS_OCTETS)
  const length = Buffer.from(Uint32Array.of(name.length).buffer)
  const endpoint = calls.getsockname(fd, name, length) < 0 ? undefined : readEndpoint(name, 0)
  return endpoint ? { kind: 'ip', endpoint } : place
}

/** Where a socket was bound; why it cannot be used when it does not say at which port. */
export function boundPlace(calls: SystemCalls, fd: number, place: Place): Place | Failure {
  const bound = placeOfSocket(calls, fd, place)
  const isKnown = bound.kind === 'unix' || bound.endpoint.port !== 0
  return isKnown ? bound : errnoFailure(errnoName(calls.errno()), 'us')
}

/** Removes the file of a Unix socket that is closed. */
export function removeSocketFile(place: Place): void {
  if (place.kind !== 'unix') return
  try {
    unlinkSync(place.path)
  } catch {
    // Somebody has removed it: that is what was wanted.
  }
}

function open(calls: SystemCalls, options: ListenOptions): ListeningSocket | Failure {
  const { place, backlog } = options
  const fd = calls.socket(familyOf(place), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) return errnoFailure(errnoName(calls.errno()), 'us')
  const fail = (why = errnoFailure(errnoName(calls.errno()), 'us')): Failure => {
    calls.close(fd)
    return why
  }
  if (place.kind === 'ip') {
    setListenOptions(calls, fd, options)
    const refused = setSocketOptions(calls, fd, familyOf(place), options)
    if (refused !== undefined) return fail(refused)
  }
  const name = Buffer.alloc(SOCKET_ADDRESS_OCTETS)
  const length = writePlace(place, name)
  if (length === 0) return fail(errnoFailure('ENAMETOOLONG', 'us'))
  if (calls.bind(fd, name, length) < 0) return fail()
  const fault = modeFault(options)
  if (fault !== undefined) {
    removeSocketFile(place)
    return fail(fault)
  }
  if (calls.listen(fd, backlog) < 0) return fail()
  const bound = boundPlace(calls, fd, place)
  return 'code' in bound ? fail(bound) : { fd, place: bound }
}

function setListenOptions(calls: SystemCalls, fd: number, { place, dualStack, reusePort }: ListenOptions): void {
  const [on, off] = [Buffer.from([1, 0, 0, 0]), Buffer.from([0, 0, 0, 0])]
  calls.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, on, on.length)
  if (reusePort === true) calls.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, on, on.length)
  if (familyOf(place) === AF_INET6) {
    calls.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, dualStack === true ? off : on, on.length)
  }
  setAccepted(calls, fd, place)
}

// Whatever is accepted inherits these.
function setAccepted(calls: SystemCalls, fd: number, place: Place): void {
  setStreamOptions(calls, fd)
  withoutPacing(calls, fd, place)
}

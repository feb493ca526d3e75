/**
 * How near this process is to its limit of descriptors. The kernel always gives the lowest free number (POSIX), so a new
 * socket whose number is close to the limit says, for nothing, that nearly all below it are taken.
 */
import { readFileSync } from 'node:fs'
import type { Failure } from '@socksmith/protocol'

/** Descriptors that accepting leaves free, so that those already accepted can still dial, resolve and log. */
export const ACCEPT_RESERVE = 16
/** Descriptors that dialling and datagram sockets leave free: for files, an admin port, and libuv's own spare one. */
export const DIAL_RESERVE = 8

/** The failure of a call that would have taken a descriptor of the reserve. */
export const OUT_OF_DESCRIPTORS: Failure = {
  code: 'too_busy',
  blame: 'us',
  errno: 'EMFILE',
  detail: 'this process may not open more descriptors; raise its limit (ulimit -n)',
}

/**
 * How many this process may have open; `Infinity` where the system does not tell. Node raises the soft limit to the hard
 * one when it starts, so one reading at load time holds.
 */
export const DESCRIPTORS_MAX: number = readLimit()

/** True when taking this socket left fewer than `reserve` descriptors. Never where the system does not tell. */
export function leavesTooFew(socket: object, reserve: number): boolean {
  const { _handle: handle } = socket as { readonly _handle?: { readonly fd?: number } }
  return handle?.fd !== undefined && handle.fd >= DESCRIPTORS_MAX - reserve
}

function readLimit(): number {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))
    return line ? Number(line[1]) : Infinity
  } catch {
    return Infinity
  }
}

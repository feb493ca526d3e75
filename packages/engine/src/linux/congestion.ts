/**
 * Which congestion control a stream uses: the system's, but none that paces on loopback. There is no network there to be
 * gentle with, and BBR's timers leave both ends idle: one stream through the server was half as fast (docs/decisions/0008).
 */
import { readFileSync } from 'node:fs'
import type { Place } from '../ports.ts'
import { IPPROTO_TCP, TCP_CONGESTION } from './abi.ts'
import type { SystemCalls } from './system-calls.ts'

/** The kernel always has it, and lets everybody use it. */
const WITHOUT_PACING = Buffer.from('reno')
const LOOPBACK_IPV4 = 127
const IPV6_OCTETS = 16

/** Read once: whoever changes it restarts what should follow. */
let isSystemPacing: boolean | undefined

/** Takes the pacing from a TCP socket whose other end (or whose listening end) is on loopback. */
export function withoutPacing(calls: SystemCalls, fd: number, place: Place): void {
  if (!isLoopback(place)) return
  isSystemPacing ??= readIsPacing()
  // A refusal leaves the socket as it is; it is then only slower.
  if (isSystemPacing) calls.setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, WITHOUT_PACING, WITHOUT_PACING.length)
}

function readIsPacing(): boolean {
  try {
    return readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'latin1').startsWith('bbr')
  } catch {
    // Not to be read in some containers.
    return false
  }
}

/** 127.0.0.0/8 and ::1. */
function isLoopback(place: Place): boolean {
  if (place.kind === 'unix') return false
  const { type, octets } = place.endpoint.address
  if (type === 'ipv4') return octets[0] === LOOPBACK_IPV4
  for (let i = 0; i < IPV6_OCTETS - 1; i++) if (octets[i] !== 0) return false
  return octets[IPV6_OCTETS - 1] === 1
}

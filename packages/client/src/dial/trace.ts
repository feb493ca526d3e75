/**
 * What happened on the way, told while it happens: `node:diagnostics_channel` events for every proxy and for the whole.
 * Costs nothing without a subscriber. Nothing secret is in a message.
 */
import { channel } from 'node:diagnostics_channel'
import type { RouteFailure } from '../socks-error.ts'
import type { PhaseTime } from './scope.ts'

/** One proxy that was passed. */
export interface HopTrace {
  /** Index on the way, from 0. */
  readonly hop: number
  /** The proxy as a URL without user name and password. */
  readonly proxy: string
  /** What it was asked for: the next proxy or the target, as `host:port`. */
  readonly target: string
  /** Milliseconds of each phase, in order. */
  readonly phases: readonly PhaseTime[]
  /** Milliseconds of all of them. */
  readonly ms: number
}

/** The message of `socksmith:hop:start`. */
export interface HopStart {
  /** The same in all events of one way through. */
  readonly id: number
  readonly hop: number
  readonly proxy: string
  readonly target: string
}

/** The message of `socksmith:hop:end`. */
export interface HopEnd extends HopTrace {
  readonly id: number
}

/** The message of `socksmith:hop:error`. */
export interface HopError extends HopStart {
  readonly error: RouteFailure
}

const hopStart = channel('socksmith:hop:start')
const hopEnd = channel('socksmith:hop:end')
const hopError = channel('socksmith:hop:error')

let lastId = 0

/** Names a way through; the number is part of all its events. */
export function nextTraceId(): number {
  return ++lastId
}

/** A proxy is about to be used. */
export function traceHopStart(start: HopStart): void {
  if (hopStart.hasSubscribers) hopStart.publish(start)
}

/** A proxy granted what it was asked for. */
export function traceHopEnd(end: HopEnd): void {
  if (hopEnd.hasSubscribers) hopEnd.publish(end)
}

/** The way ended at this proxy. */
export function traceHopError(error: HopError): void {
  if (hopError.hasSubscribers) hopError.publish(error)
}

/** The times of one proxy, added up. */
export function hopTrace(hop: number, proxy: string, target: string, phases: readonly PhaseTime[]): HopTrace {
  const spent = phases.filter(({ phase }) => phase !== 'route')
  const ms = spent.reduce((sum, one) => sum + one.ms, 0)
  return { hop, proxy, target, phases: spent, ms }
}

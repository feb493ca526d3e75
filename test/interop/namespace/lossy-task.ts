/** What the two ends of a bad line are asked to do (see lossy-network.test.ts), and how much of it. Does nothing. */
import type { SessionLine } from '../server.ts'

/** A line of JSON for an end. `everything` is streams, a BIND, datagrams and clients that fall silent, all at once. */
export type Task =
  | { readonly kind: 'everything'; readonly via: string; readonly host: string }
  | { readonly kind: 'streams'; readonly via: string | undefined; readonly host: string }

/** The line that it answers with. */
export interface Answer {
  /** How long each stream that came back whole took, from the open connection on, in milliseconds. */
  readonly streams: readonly number[]
  /** For `everything` only: what the target says of the stream by BIND. */
  readonly bind?: string
  readonly datagrams?: DatagramCounts
}

/** Of the datagrams that came back. */
export interface DatagramCounts {
  readonly unchanged: number
  readonly altered: number
}

/** What the line did with the packets of one direction. */
export interface LinkCounts {
  readonly taken: number
  readonly dropped: number
  /** That were passed on behind a later one. */
  readonly overtaken: number
  /** Of all that were passed on, the one that it kept for the shortest time. */
  readonly shortestMs: number
}

/** Of both ends, both directions, and each session in the server's log. */
export interface Report {
  readonly answers: readonly Answer[]
  readonly link: readonly LinkCounts[]
  readonly sessions: readonly SessionLine[]
}

/** The server's, in seconds: so long that only who is silent on purpose meets them. */
export const LIMITS_S = { dial: 5, handshake: 10, idle: 20 }

export const STREAMS = 6
/** Of a stream, each way. */
export const OCTETS = 2 * 1_024 * 1_024
export const BIND_OCTETS = 256 * 1_024
export const DATAGRAMS = 200
/** An address of the line that nobody has: what is sent there gets no answer. */
export const NOBODY = '10.9.1.99'

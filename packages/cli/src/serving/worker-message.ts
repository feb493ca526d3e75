/** What the main thread and a worker tell each other. Plain data only: it crosses between threads. */
import type { DescriptorLedger } from '@socksmith/engine'
import type { LiveSession, SharedCounts } from '@socksmith/server'
import type { Config } from '../config/config.ts'
import type { LineStyle } from '../log/session-log.ts'
import type { PasswordHash } from '../users/password.ts'
import type { Trouble } from '../exit.ts'

/** What a worker is started with. */
export interface WorkerTask {
  /** From 1; the main thread is 0. */
  readonly thread: number
  /** How many workers there are. */
  readonly threads: number
  readonly config: Config
  readonly quickUsers: ReadonlyMap<string, PasswordHash>
  readonly counts: SharedCounts
  readonly ledger: DescriptorLedger
  /** The sockets that listen, in the order of the configured listeners. */
  readonly descriptors: readonly number[]
  readonly style: LineStyle
}

export type ToWorker =
  | { readonly kind: 'stop'; readonly deadlineMs: number }
  /** Asks for the live sessions; `request` comes back with the answer. */
  | { readonly kind: 'sessions'; readonly request: number }

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly trouble: Trouble }
  /** Finished lines of the session log, each with its end. */
  | { readonly kind: 'lines'; readonly text: string; readonly count: number }
  | { readonly kind: 'notice'; readonly event: string; readonly message: string }
  /** It accepts nothing any more, since it was told to stop. */
  | { readonly kind: 'deaf' }
  /** All sessions are over; so many were ended at the deadline. Nothing follows. */
  | { readonly kind: 'stopped'; readonly ended: number }
  | { readonly kind: 'sessions'; readonly request: number; readonly sessions: readonly LiveSession[] }

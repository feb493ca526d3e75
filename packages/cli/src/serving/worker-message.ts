/** What the main thread and a worker tell each other. Plain data only: it crosses between threads. */
import type { DescriptorLedger } from '@socksmith/engine'
import type { Ban, LedgerMemory, LiveSession, SharedCounts } from '@socksmith/server'
import type { Config } from '../config/config.ts'
import type { LineStyle } from '../log/session-log.ts'
import type { CachedName } from '../dns/name-caches.ts'
import type { InForce, LiveUsers, PolicyData } from '../policy/in-force.ts'
import type { Trouble } from '../exit.ts'

/** What a worker is started with. */
export interface WorkerTask {
  /** From 1; the main thread is 0. */
  readonly thread: number
  /** How many workers there are. */
  readonly threads: number
  readonly config: Config
  /** The rules and users of the moment at which it is started. */
  readonly inForce: InForce
  readonly hasUsers: boolean
  readonly counts: SharedCounts
  readonly accounts: LedgerMemory
  readonly failures: LedgerMemory
  /** Who is kept out from the start. */
  readonly bans: readonly Ban[]
  readonly ledger: DescriptorLedger
  /** The sockets that listen, in the order of the configured listeners. */
  readonly descriptors: readonly number[]
  readonly style: LineStyle
}

export type ToWorker =
  | { readonly kind: 'stop'; readonly deadlineMs: number }
  /** `request` comes back with the answer. */
  | { readonly kind: 'ask'; readonly request: number; readonly question: Question }

export type Question =
  /** Which names are remembered? */
  | { readonly kind: 'names' }
  /** Forget this one, or all. */
  | { readonly kind: 'flush-names'; readonly name?: string }
  /** Which sessions live? */
  | { readonly kind: 'sessions' }
  /** From now on these decide; how many sessions has that ended? */
  | { readonly kind: 'policy'; readonly policy: PolicyData }
  | { readonly kind: 'users'; readonly users: LiveUsers }
  | { readonly kind: 'ban'; readonly bans: readonly Ban[] }
  | { readonly kind: 'unban'; readonly keys: readonly string[] }

export interface Answer {
  readonly names: readonly CachedName[]
  readonly flushed: number
  readonly sessions: readonly LiveSession[]
  readonly ended: number
}

/** Of a worker that is no more, or was not asked about one of them. */
export const NO_ANSWER: Answer = { names: [], flushed: 0, sessions: [], ended: 0 }

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly trouble: Trouble }
  /** Finished lines of the session log, each with its end. */
  | { readonly kind: 'lines'; readonly text: string; readonly count: number }
  | { readonly kind: 'notice'; readonly event: string; readonly message: string }
  /** Failed logins have brought a ban. */
  | { readonly kind: 'banned'; readonly ban: Ban }
  /** It accepts nothing any more, since it was told to stop. */
  | { readonly kind: 'deaf' }
  /** All sessions are over; so many were ended at the deadline. Nothing follows. */
  | { readonly kind: 'stopped'; readonly ended: number }
  | { readonly kind: 'answer'; readonly request: number; readonly answer: Answer }

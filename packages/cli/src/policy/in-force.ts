/** What a server goes by and may be given anew while it runs, as plain data that can go to another thread. */
import { type CompileOptions, type Decider, type Policy, compile } from '@socksmith/policy'
import type { WaysConfig } from '../config/config.ts'
import type { Users } from '../users/users-file.ts'
import { geoOf } from './geo.ts'

/** A policy with everything that it needs to be asked. */
export interface PolicyData {
  readonly policy: Policy
  readonly inside: NonNullable<CompileOptions['inside']>
  /** MaxMind DB files. */
  readonly geo: readonly Uint8Array[]
  /** Ways out that rules name. */
  readonly ways: WaysConfig
}

export interface LiveUsers {
  /** Who can log in. */
  readonly known: Users
  /** Who could before. Certificates may name others, who never were. */
  readonly gone: ReadonlySet<string>
}

export interface InForce {
  readonly policy: PolicyData
  readonly users: LiveUsers
}

/** What takes them over. Each answers how many sessions it has ended, since they are now forbidden. */
export interface GovernedServer {
  usePolicy(policy: PolicyData): Promise<number> | number
  useUsers(users: LiveUsers): Promise<number> | number
}

export function deciderOf({ policy, inside, geo }: PolicyData): Decider {
  return compile(policy, { inside, geo: geoOf(geo) })
}

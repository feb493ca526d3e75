/** What every session of one server shares. */
import type { Engine, IdleWheel, Resolver } from '@socksmith/engine'
import type { IpAddress } from '@socksmith/protocol'
import type { Admission } from './admission.ts'
import type { Gate } from './decide.ts'
import type { Counting } from './limit/counting.ts'
import type { BanList } from './login/ban-list.ts'
import type { LoginGuard } from './login/login-guard.ts'
import type { Limits, ServerOptions } from './options.ts'

export interface ServerContext {
  readonly options: ServerOptions
  readonly limits: Limits
  readonly engine: Engine
  readonly resolver: Resolver
  readonly gate: Gate
  readonly admission: Admission
  readonly idleWheel: IdleWheel
  readonly counting: Counting
  readonly bans: BanList
  readonly loginGuard: LoginGuard
}

/** The address to leave by towards `destination`, when one is set. */
export function outgoingAddress(context: ServerContext, destination: IpAddress): IpAddress | undefined {
  return context.options.outgoing?.[destination.type]
}

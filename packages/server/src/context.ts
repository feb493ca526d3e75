/** What every session of one server shares. */
import type { Engine, IdleWheel, Resolver } from '@socksmith/engine'
import type { Admission } from './admission.ts'
import type { Gate } from './decide.ts'
import type { Counting } from './limit/counting.ts'
import type { BanList } from './login/ban-list.ts'
import type { LoginGuard } from './login/login-guard.ts'
import type { Limits, ServerOptions } from './options.ts'
import type { WayChooser } from './way-out.ts'

export interface ServerContext {
  readonly options: ServerOptions
  readonly limits: Limits
  readonly engine: Engine
  readonly resolver: Resolver
  readonly gate: Gate
  readonly ways: WayChooser
  readonly admission: Admission
  readonly idleWheel: IdleWheel
  readonly counting: Counting
  readonly bans: BanList
  readonly loginGuard: LoginGuard
}

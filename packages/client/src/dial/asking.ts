/** What a way is gone for: the request to its last proxy. */
import type { CommandName, Destination } from '@socksmith/protocol'
import type { Traits } from '../route/route.ts'

/** What is asked of the last proxy. */
export interface Asking {
  readonly command: CommandName
  readonly destination: Destination
  readonly earlyData?: Uint8Array
  /** Of whoever it is for. */
  readonly traits?: Traits
}

/** Reaches one of the allowed endpoints, within the limit of attempts at once. */
import { type Connection, type Dialing, dialAny } from '@socksmith/engine'
import { type Endpoint, type Failure, failure } from '@socksmith/protocol'
import { type ServerContext, outgoingAddress } from './context.ts'

/** One CONNECT's attempt; `cancel` gives it up at any time. */
export function dialTarget(context: ServerContext, endpoints: readonly Endpoint[]): Dialing {
  const { admission } = context
  if (!admission.take('pendingDials')) {
    const refused: Promise<Connection | Failure> = Promise.resolve(
      failure('too_busy', 'us', 'too many connection attempts are under way'),
    )
    return { result: refused, cancel: () => {} }
  }
  const dialing = dialAny(context.engine, endpoints, {
    timeoutMs: context.limits.dialMs,
    localAddressFor: destination => outgoingAddress(context, destination),
  })
  return { result: dialing.result.finally(() => admission.giveBack('pendingDials')), cancel: () => dialing.cancel() }
}

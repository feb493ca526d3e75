/** What Node cannot set on a socket. Asked before one is opened: none may ever leave otherwise than it was told to. */
import { type Failure, failure } from '@socksmith/protocol'
import type { SocketOptions } from '../ports.ts'

export const NODE_SOCKET_OPTIONS: ReadonlySet<keyof SocketOptions> = new Set()

/** Why a socket with these options cannot be opened. */
export function socketOptionsFault({ interface: device, mark, freeBind }: SocketOptions): Failure | undefined {
  if (device === undefined && mark === undefined && freeBind !== true) return undefined
  return failure('general_failure', 'us', 'the portable engine sets no interface, mark or foreign source')
}

/** A listening socket that several threads accept from: opened and closed by one of them, which accepts nothing. */
import type { Failure } from '@socksmith/protocol'
import type { ListenOptions } from '../ports.ts'
import { type ListeningSocket, openListeningSocket, removeSocketFile } from './listening-socket.ts'
import { loadSystemCalls } from './system-calls.ts'

/** Opens it, or says why not. Its descriptor is for `ListenOptions.descriptor` of each thread. */
export async function openSharedListener(options: ListenOptions): Promise<ListeningSocket | Failure> {
  const loaded = loadSystemCalls()
  if (loaded.kind === 'missing') return { code: 'general_failure', blame: 'us', detail: loaded.reason }
  return openListeningSocket(loaded.calls, options)
}

/** Closes it, once no thread accepts from it any more. */
export function closeSharedListener({ fd, place }: ListeningSocket): void {
  const loaded = loadSystemCalls()
  if (loaded.kind === 'missing') return
  loaded.calls.close(fd)
  removeSocketFile(place)
}

/** The file mode of a Unix socket that has just been bound. Until then the umask decides, which by default lets nobody but us write. */
import { chmodSync } from 'node:fs'
import type { Failure } from '@socksmith/protocol'
import type { ListenOptions } from '../ports.ts'
import { systemFailure } from './system-failure.ts'

/** Why it could not be set: some shared folders know no modes. Then the socket must not be used. */
export function modeFault({ place, mode }: ListenOptions): Failure | undefined {
  if (place.kind !== 'unix' || mode === undefined) return undefined
  try {
    chmodSync(place.path, mode)
    return undefined
  } catch (error) {
    return systemFailure(error, 'us')
  }
}

/** Memory that the C library keeps for later, and nobody may need again. Decides nothing about when. */
import { loadSystemCalls } from './system-calls.ts'

/** Gives it back to the kernel, for all threads, also where the portable engine runs; false where that cannot be done. */
export function giveBackSpareMemory(): boolean {
  const loaded = loadSystemCalls()
  if (loaded.kind === 'missing') return false
  loaded.calls.mallocTrim(0)
  return true
}

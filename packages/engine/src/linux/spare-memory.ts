/** Memory that the C library keeps for later, and nobody may need again. Decides nothing about when. */
import { loadSystemCalls } from './system-calls.ts'

/** `<malloc.h>` of the GNU C library. */
const M_MMAP_THRESHOLD = -3
/** A block of so many octets is asked of the kernel alone, and given back to it when it is freed. */
const LARGE_BLOCK_OCTETS = 4 * 1_048_576

/** Gives it back to the kernel, for all threads, also where the portable engine runs; false where that cannot be done. */
export function giveBackSpareMemory(): boolean {
  const loaded = loadSystemCalls()
  if (loaded.kind === 'missing') return false
  loaded.calls.mallocTrim(0)
  return true
}

/**
 * From now on no large block is kept, in any thread; false where that cannot be done. Of itself the C library keeps them once
 * it has seen one freed: two times the 19 MiB of a password's hash, in each thread that ever computed one.
 */
export function keepNoLargeBlocks(): boolean {
  const loaded = loadSystemCalls()
  return loaded.kind === 'loaded' && loaded.calls.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_OCTETS) === 1
}

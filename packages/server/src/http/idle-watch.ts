/** Notices that nothing moves any more. Knows no HTTP. */
import type { Clock, Timer } from '@socksmith/engine'

/** Looks in the time that is allowed: it ends after that time, and a quarter of it later at most. */
const LOOKS = 4

/** Calls `onIdle` once `octets` stays the same for `ms`; never for 0. The answer ends the watch. */
export function watchIdle(clock: Clock, ms: number, octets: () => number, onIdle: () => void): () => void {
  if (ms === 0) return () => {}
  let [before, quiet]: [number, number] = [octets(), 0]
  let timer: Timer
  const look = (): void => {
    const now = octets()
    quiet = now === before ? quiet + 1 : 0
    before = now
    if (quiet >= LOOKS) onIdle()
    else timer = clock.after(ms / LOOKS, look)
  }
  timer = clock.after(ms / LOOKS, look)
  return () => timer.cancel()
}

/**
 * What the process takes of the system's memory, beside what its sessions hold: garbage, and what the C library keeps for later.
 * Knows no server but by the number of its sessions.
 */
import { setFlagsFromString } from 'node:v8'
import { giveBackSpareMemory, keepNoLargeBlocks } from '@socksmith/engine'

/** So much garbage V8 may keep beside what lives, in percent of it. By itself it takes up to three times what lives. */
const GARBAGE_PERCENT_MAX = 50

/** Milliseconds between two looks at how many there are. */
const LOOK_EVERY_MS = 1_000
/** Fewer sessions than this leave nothing behind that is worth the work. */
const CROWD_MIN = 256
/** A crowd has left when so small a part of it is there. */
const LEFT_SHARE = 1 / 4
/** Looks in a row that must find it gone: a crowd that comes and goes needs its memory. */
const QUIET_LOOKS = 10

/** Tells from one look to the next whether a crowd has left. */
export class Crowd {
  #most = 0
  #quietLooks = 0

  /** True once for each crowd. */
  hasLeft(sessions: number): boolean {
    this.#most = Math.max(this.#most, sessions)
    const isGone = this.#most >= CROWD_MIN && sessions <= this.#most * LEFT_SHARE
    this.#quietLooks = isGone ? this.#quietLooks + 1 : 0
    if (this.#quietLooks < QUIET_LOOKS) return false
    this.#quietLooks = 0
    this.#most = sessions
    return true
  }
}

/** To be called before anything is served, for all threads. `hasHashes`: whether passwords are checked here. */
export function keepMemorySmall(hasHashes: boolean): void {
  setFlagsFromString(`--heap-growing-percent=${GARBAGE_PERCENT_MAX}`)
  // On the portable engine nothing else needs the C library at the start.
  if (hasHashes) keepNoLargeBlocks()
}

/** After a crowd has left, gives back what it was served with. Looks from now on, until the process ends. */
export function keepMemoryQuiet(server: { readonly sessionCount: number }): void {
  const crowd = new Crowd()
  setInterval(() => crowd.hasLeft(server.sessionCount) && giveBackSpareMemory(), LOOK_EVERY_MS).unref()
}

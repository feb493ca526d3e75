/**
 * After a crowd has left, what it was served with is given back to the system: the C library would keep it. Knows no server but
 * by the number of its sessions.
 */
import { giveBackSpareMemory } from '@socksmith/engine'

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

/** Looks from now on, until the process ends. */
export function keepMemoryQuiet(server: { readonly sessionCount: number }): void {
  const crowd = new Crowd()
  setInterval(() => crowd.hasLeft(server.sessionCount) && giveBackSpareMemory(), LOOK_EVERY_MS).unref()
}

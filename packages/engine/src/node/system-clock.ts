/** The clock of the machine. */
import type { Clock, Timer } from '../ports.ts'

// The longest delay that setTimeout takes; a longer one would fire at once.
const TIMEOUT_MS_MAX = 2 ** 31 - 1

/** The clock of the machine; its waiting timers do not keep the process alive. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (ms, callback) => (ms === Infinity ? NEVER : new SystemTimer(ms, callback)),
}

const NEVER: Timer = { cancel: () => {} }

class SystemTimer implements Timer {
  #timeout: NodeJS.Timeout

  constructor(ms: number, callback: () => void) {
    this.#timeout = this.#arm(ms, callback)
  }

  cancel(): void {
    clearTimeout(this.#timeout)
  }

  #arm(ms: number, callback: () => void): NodeJS.Timeout {
    if (ms <= TIMEOUT_MS_MAX) return setTimeout(callback, ms).unref()
    const again = (): void => {
      this.#timeout = this.#arm(ms - TIMEOUT_MS_MAX, callback)
    }
    return setTimeout(again, TIMEOUT_MS_MAX).unref()
  }
}

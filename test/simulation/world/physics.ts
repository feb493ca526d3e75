/** What everything in one simulated world shares: time, chance, the log, and the list of what must not have happened. */
import { Random } from './random.ts'
import { VirtualTime } from './virtual-time.ts'

export class Physics {
  readonly time: VirtualTime = new VirtualTime()
  readonly random: Random
  readonly violations: string[] = []
  readonly log: ((line: string) => void) | undefined

  constructor(seed: number, log?: (line: string) => void) {
    this.random = new Random(seed)
    this.log = log && (line => log(`${this.time.monotonicMs().toFixed(3).padStart(12)} ${line}`))
  }

  /** Something happened that must never happen. */
  violated(what: string): void {
    this.violations.push(what)
    this.log?.(`VIOLATED: ${what}`)
  }
}

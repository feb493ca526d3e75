/** What the server's log says, read in parts: a long soak writes more than a disk should hold. Knows no fault. */
import { copyFileSync, readFileSync, truncateSync } from 'node:fs'
import type { Criteria } from './criteria.ts'
import type { Login } from './client.ts'
import { placesOf } from './stage.ts'

const DURATION = '"duration_ms":'
/** No session of a soak lasts as long as the smallest jump of its clock. */
const SESSION_MS_MAX = 3_500_000

export class SessionLog {
  readonly #path: string
  readonly #secrets: readonly string[]
  #sessions = 0
  #odd = 0
  #told = 0
  #died = 0
  #failures = 0

  constructor(path: string, { name, password }: Login) {
    this.#path = path
    this.#secrets = [password, Buffer.from(`${name}:${password}`).toString('base64'), '"guess ']
  }

  /** Reads what stands in it. */
  read(): void {
    const part = readFileSync(this.#path)
    this.#told += this.#secretsIn(part)
    this.#died += [...placesOf(part, '"worker-died"')].length
    for (const at of placesOf(part, DURATION)) {
      this.#sessions++
      const ms = Number.parseInt(part.toString('latin1', at + DURATION.length, at + DURATION.length + 20), 10)
      if (!(ms >= 0 && ms <= SESSION_MS_MAX)) this.#odd++
    }
  }

  /** Begins a new part, as `copytruncate` does. One in which something failed is kept as `copy`: true. */
  next(failures: number, copy: string): boolean {
    const isKept = failures > this.#failures
    if (isKept) copyFileSync(this.#path, copy)
    this.#failures = failures
    truncateSync(this.#path)
    return isKept
  }

  /** `text` is what the server has said on standard error. */
  tell(criteria: Criteria, text: string, workers: number): void {
    const secrets = this.#told + this.#secretsIn(Buffer.from(text))
    criteria.note('R-35', 'secrets in the log and on standard error', secrets, { atMost: 0 })
    criteria.note('R-22', 'sessions in the log', this.#sessions)
    criteria.note('R-22', 'sessions whose time makes no sense', this.#odd, { atMost: 0 })
    if (workers === 0) criteria.note('R-29', 'workers that died', this.#died, { atMost: 0 })
    const bugs = text.split('This is a bug').length - 1
    criteria.note('R-29', 'times that the server called something a bug of its own', bugs, { atMost: 0 })
  }

  #secretsIn(octets: Buffer): number {
    return this.#secrets.reduce((sum, secret) => sum + [...placesOf(octets, secret)].length, 0)
  }
}

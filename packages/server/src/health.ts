/**
 * Asks the proxies of pools from time to time whether they work, so that nobody's connection has to find out. Those that do
 * not are asked less and less often. Decides nothing: pools look at what was learnt.
 */
import { type PoolRoute, isMemberDown, labelsOf, poolsOf, probeMember } from '@socksmith/client/route'
import type { Engine, Resolver, Timer } from '@socksmith/engine'
import { type Destination, parseIp } from '@socksmith/protocol'
import type { ServerEvent } from './event.ts'
import type { HealthCheck, Way } from './way.ts'

/** A way whose proxies are to be asked. */
export interface CheckedWay {
  readonly name: string
  readonly way: Way
  readonly engine: Engine
}

type Member = PoolRoute['members'][number]

export class HealthChecks {
  readonly #resolver: Resolver
  readonly #tell: (event: ServerEvent) => void
  readonly #timers = new Set<Timer>()
  /** Rises when other ways are watched: what was begun before is of no interest any more. */
  #generation = 0

  constructor(resolver: Resolver, tell: (event: ServerEvent) => void) {
    this.#resolver = resolver
    this.#tell = tell
  }

  /** From now on these are asked, and no others. */
  watch(ways: readonly CheckedWay[]): void {
    this.stop()
    for (const one of ways) {
      const { check, route } = one.way
      if (check === undefined || route === undefined) continue
      for (const pool of poolsOf(route)) for (const member of pool.members) void this.#ask(one, check, member, 0)
    }
  }

  stop(): void {
    this.#generation++
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  /** Once, and again after a pause; `failures` before this one. */
  async #ask(one: CheckedWay, check: HealthCheck, member: Member, failures: number): Promise<void> {
    const generation = this.#generation
    const { engine, name } = one
    const wasDown = isMemberDown(member, engine.clock.monotonicMs())
    const pauseMs = Math.min(check.everyMs * 2 ** failures, Math.max(check.everyMs, check.backOffMaxMs))
    const to = check.to && destinationOf(check.to)
    const fault = await probeMember(engine, member, {
      resolver: this.#resolver,
      timeoutMs: check.timeoutMs,
      // It stays down until it is asked again, and a little longer, so that it is not used between.
      downMs: pauseMs + check.timeoutMs,
      ...(to && { to }),
    })
    if (generation !== this.#generation) return
    if (wasDown !== (fault !== undefined)) {
      const detail = fault && (fault.failure.detail ?? fault.failure.errno ?? fault.code)
      this.#tell({ kind: 'proxy-health', way: name, proxy: labelsOf(member).join(' > '), ...(detail && { detail }) })
    }
    const timer = engine.clock.after(fault === undefined ? check.everyMs : pauseMs, () => {
      this.#timers.delete(timer)
      void this.#ask(one, check, member, fault === undefined ? 0 : failures + 1)
    })
    this.#timers.add(timer)
  }
}

function destinationOf({ host, port }: NonNullable<HealthCheck['to']>): Destination {
  return { address: parseIp(host) ?? { type: 'domain', name: host }, port }
}

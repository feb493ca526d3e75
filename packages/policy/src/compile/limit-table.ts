/** Which limits a session is under: those that its rule names, and those that say so themselves. Counts nothing. */
import type { Decision } from '../decision.ts'
import { type Facts, type Geo, plainName } from '../facts.ts'
import type { Limit } from '../limit.ts'
import { addressForms } from '../network.ts'
import type { AllowRule, Policy } from '../policy.ts'
import { type View, truthOf } from '../walk.ts'

const NONE: readonly Limit[] = []

export class LimitTable {
  readonly #byRule: ReadonlyMap<AllowRule, readonly Limit[]>
  readonly #ofTheirOwn: readonly Limit[]
  readonly #geo: Geo

  constructor({ rules, limits }: Policy, geo: Geo) {
    const byName = new Map(limits.map(limit => [limit.name, limit]))
    this.#byRule = new Map(
      rules.flatMap(rule => {
        if (rule.verdict !== 'allow' || rule.limits.length === 0) return []
        return [[rule, rule.limits.flatMap(name => byName.get(name) ?? NONE)] as const]
      }),
    )
    this.#ofTheirOwn = limits.filter(limit => limit.of !== undefined)
    this.#geo = geo
  }

  get isEmpty(): boolean {
    return this.#byRule.size === 0 && this.#ofTheirOwn.length === 0
  }

  /** Those that hold for what was decided; a limit whose `of` depends on what is not known yet is not among them. */
  of(facts: Facts, decision: Decision | undefined): readonly Limit[] {
    const rule = decision?.verdict === 'allow' ? decision.rule : undefined
    const named = (rule && this.#byRule.get(rule)) ?? NONE
    if (this.#ofTheirOwn.length === 0) return named
    const view = viewOf(facts, this.#geo)
    const own = this.#ofTheirOwn.filter(({ of }) => {
      if (of?.rules !== undefined && (rule?.name === undefined || !of.rules.has(rule.name))) return false
      return of?.condition === undefined || truthOf(of.condition, view) === true
    })
    return own.length === 0 ? named : [...named, ...own]
  }
}

function viewOf(facts: Facts, geo: Geo): View {
  const host = typeof facts.host === 'string' ? plainName(facts.host) : facts.host
  const [form] = facts.address === undefined ? [] : addressForms(facts.address)
  return { facts, host, form, place: form && geo(form) }
}

/**
 * Rules, compiled: one table for each thing that is looked at, each giving the terms that are still possible; the first
 * term that all of them leave decides. Does not wait, and makes no garbage on the way of an ordinary question.
 */
import { type IpAddress, unmapped } from '@socksmith/protocol'
import { type Decision, NO_MATCH, NO_RULES, OPEN, type Reported, byRule, closedInside, reportedOnly } from '../decision.ts'
import { type Facts, type Geo, plainName } from '../facts.ts'
import { addressForms } from '../network.ts'
import type { HostTest, NetworkTest, Policy, PortTest, Rule, Test, WhenTest, WordTest } from '../policy.ts'
import { AddressTable, NameTable, type Placed, PortTable, WhenTable, WordTable } from './fact-table.ts'
import { type InsideOptions, InsideTable } from './inside-table.ts'
import { type Row, RowStore } from './row-store.ts'
import { type Term, termsOf } from './terms.ts'

export interface CompileOptions {
  readonly inside?: InsideOptions
  /** Where an address is registered. Without it no address has a country or a number. */
  readonly geo?: Geo
}

/** The one function that decides everything. */
export interface Decider {
  /**
   * What the rules say. Facts that are not known yet may leave it `open`; with all of them it is `allow` or `deny`.
   *
   * @example
   * const decision = decider.decide({ nowMs, client, listener: '0.0.0.0:1080' })
   * if (decision.verdict === 'deny') close(refusalOf(decision))
   */
  decide(facts: Facts): Decision
}

/** Compiles a policy that was read by {@link readPolicy}. Ten thousand rules take a fraction of a second. */
export function compile(policy: Policy, options: CompileOptions = {}): Decider {
  return new CompiledPolicy(policy, options)
}

/** The row of one fact, or "not known". */
const UNKNOWN = -1

type Lookup = (facts: Facts, form: IpAddress | undefined) => Row

/** One table with what it needs of the facts. */
interface Layer {
  readonly lookup: Lookup
  readonly free: Row
}

class CompiledPolicy implements Decider {
  readonly #policy: Policy
  readonly #inside: InsideTable
  readonly #store: RowStore
  readonly #layers: readonly Layer[]
  readonly #enforced: Row
  readonly #allowing: Row
  readonly #reporting: Row | undefined
  /** Of each term. */
  readonly #rules: readonly Rule[]
  readonly #decisions: readonly Decision[]
  readonly #opensInside: readonly boolean[]
  /** The rows that are left possible, and those that hold whatever is still unknown; with room for two more. */
  readonly #possible: Int32Array
  readonly #sure: Int32Array

  constructor(policy: Policy, { inside = {}, geo = () => ({}) }: CompileOptions) {
    this.#policy = policy
    this.#inside = new InsideTable(inside)
    const terms = policy.rules.flatMap(rule => (termsOf(rule.condition) ?? []).map(term => ({ rule, term })))
    this.#rules = terms.map(({ rule }) => rule)
    this.#opensInside = terms.map(({ term }) => term.opensInside)
    const decisions = new Map(policy.rules.map(rule => [rule, byRule(rule)]))
    this.#decisions = terms.map(({ rule }) => decisions.get(rule) ?? NO_MATCH)
    const placed = placedLiterals(terms.map(({ term }) => term))
    this.#store = new RowStore(terms.length, placed.length + 2)
    this.#layers = placed.map(layer => layerOf(layer, this.#store, geo))
    this.#possible = new Int32Array(placed.length + 2)
    this.#sure = new Int32Array(placed.length + 2)
    this.#enforced = this.#rowWhere(rule => rule.mode === 'enforce')
    this.#allowing = this.#rowWhere(rule => rule.mode === 'enforce' && rule.verdict === 'allow')
    const reports = policy.rules.some(rule => rule.mode === 'report')
    this.#reporting = reports ? this.#rowWhere(rule => rule.mode === 'report') : undefined
  }

  decide(facts: Facts): Decision {
    const { address } = facts
    if (address === undefined) return this.#decideAbout(facts, undefined)
    if (address.type === 'ipv4') return this.#decideAbout(facts, address)
    const [first, second] = addressForms(address)
    const decision = this.#decideAbout(facts, first)
    if (second === undefined || decision.verdict === 'deny') return decision
    const other = this.#decideAbout(facts, second)
    return other.verdict === 'allow' ? decision : other
  }

  #decideAbout(facts: Facts, form: IpAddress | undefined): Decision {
    if (this.#policy.rules.length === 0) return this.#withInside(NO_RULES, facts, form, false)
    const isComplete = this.#gather(facts, form)
    const count = this.#layers.length
    this.#sure[count] = this.#enforced
    const sure = this.#store.first(this.#sure, count + 1)
    if (!isComplete && this.#isOpen(sure)) return OPEN
    const decision = sure === -1 ? NO_MATCH : (this.#decisions[sure] as Decision)
    const opens = decision.verdict === 'allow' && this.#opensInside[sure] === true
    const complete = this.#withReports(decision, sure)
    const enforced = this.#policy.mode === 'report' ? reportedOnly(complete) : complete
    return this.#withInside(enforced, facts, form, opens)
  }

  // Something is unknown: it is open when an earlier rule may yet match and the outcomes differ.
  #isOpen(sure: number): boolean {
    const count = this.#layers.length
    this.#possible[count] = this.#enforced
    const possible = this.#store.first(this.#possible, count + 1)
    if (possible === -1 || this.#ruleNumber(possible) === this.#ruleNumber(sure)) return false
    this.#possible[count] = this.#allowing
    const allowing = this.#store.first(this.#possible, count + 1)
    return allowing !== -1 && this.#ruleNumber(allowing) <= this.#ruleNumber(sure)
  }

  // The end of the list stands behind every rule.
  #ruleNumber(term: number): number {
    return this.#rules[term]?.number ?? Infinity
  }

  #gather(facts: Facts, form: IpAddress | undefined): boolean {
    let isComplete = true
    for (let i = 0; i < this.#layers.length; i++) {
      const { lookup, free } = this.#layers[i] as Layer
      const row = lookup(facts, form)
      if (row === UNKNOWN) {
        isComplete = false
        this.#possible[i] = this.#store.every
        this.#sure[i] = free
      } else {
        this.#possible[i] = row
        this.#sure[i] = row
      }
    }
    return isComplete
  }

  #withReports(decision: Decision, sure: number): Decision {
    if (this.#reporting === undefined || decision.verdict === 'open') return decision
    const count = this.#layers.length
    this.#sure[count] = this.#reporting
    const reported = new Map<Rule, Reported>()
    let term = this.#store.first(this.#sure, count + 1)
    while (term !== -1 && (sure === -1 || term < sure)) {
      const rule = this.#rules[term] as Rule
      reported.set(rule, { verdict: rule.verdict, rule })
      term = this.#store.first(this.#sure, count + 1, term + 1)
    }
    return reported.size === 0 ? decision : { ...decision, reported: [...reported.values()] }
  }

  #withInside(decision: Decision, facts: Facts, form: IpAddress | undefined, opens: boolean): Decision {
    if (decision.verdict !== 'allow' || form === undefined || opens) return decision
    // What is reached instead was chosen by whoever wrote the rules.
    if (decision.rule?.redirect !== undefined) return decision
    return this.#inside.isClosedTo(facts.client, form) ? closedInside(decision) : decision
  }

  #rowWhere(isIn: (rule: Rule) => boolean): Row {
    return this.#store.rowOf(this.#rules.flatMap((rule, term) => (isIn(rule) ? [term] : [])))
  }
}

/** The literals of all terms, laid into layers of one kind each, with at most one of each term in a layer. */
function placedLiterals(terms: readonly Term[]): readonly (readonly Placed<Test>[])[] {
  const layers = new Map<string, Placed<Test>[]>()
  for (const [term, { literals }] of terms.entries()) {
    const depth = new Map<Test['kind'], number>()
    for (const { test, isPositive } of literals) {
      const level = depth.get(test.kind) ?? 0
      depth.set(test.kind, level + 1)
      const key = `${test.kind} ${level}`
      const layer = layers.get(key)
      if (layer === undefined) layers.set(key, [{ test, term, isPositive }])
      else layer.push({ test, term, isPositive })
    }
  }
  return [...layers.values()]
}

function layerOf(placed: readonly Placed<Test>[], store: RowStore, geo: Geo): Layer {
  const kind = placed[0]?.test.kind as Test['kind']
  switch (kind) {
    case 'client': {
      const table = new AddressTable(placed as readonly Placed<NetworkTest>[], store)
      return {
        free: table.free,
        lookup: ({ client }) => table.at(client === 'unix' || client.type === 'ipv4' ? client : unmapped(client)),
      }
    }
    case 'address': {
      const table = new AddressTable(placed as readonly Placed<NetworkTest>[], store)
      return { free: table.free, lookup: (_facts, form) => (form === undefined ? UNKNOWN : table.at(form)) }
    }
    case 'host': {
      const table = new NameTable(placed as readonly Placed<HostTest>[], store)
      return {
        free: table.free,
        lookup: ({ host }) => (host === undefined ? UNKNOWN : table.at(host === null ? null : plainName(host))),
      }
    }
    case 'port': {
      const table = new PortTable(placed as readonly Placed<PortTest>[], store)
      return { free: table.free, lookup: ({ port }) => (port === undefined ? UNKNOWN : table.at(port)) }
    }
    case 'when': {
      const table = new WhenTable(placed as readonly Placed<WhenTest>[], store)
      return { free: table.free, lookup: ({ nowMs }) => table.at(nowMs) }
    }
    case 'country':
    case 'asn': {
      const table = new WordTable(placed as readonly Placed<WordTest>[], store)
      return {
        free: table.free,
        lookup: (_facts, form) => (form === undefined ? UNKNOWN : table.at(geo(form)[kind] ?? null)),
      }
    }
    default: {
      const table = new WordTable(placed as readonly Placed<WordTest>[], store)
      return {
        free: table.free,
        lookup: facts => {
          const word = facts[kind]
          return word === undefined ? UNKNOWN : table.at(word)
        },
      }
    }
  }
}

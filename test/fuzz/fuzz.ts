/** The loop: change an input, run it, keep it when it went a new way, stop when a rule broke. Knows no target. */
import { Random } from '../simulation/world/random.ts'
import type { Coverage } from './coverage.ts'
import { INPUT_OCTETS_MAX, mutated } from './mutate.ts'

/** What is fuzzed. */
export interface Target {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  /** Octets that mean something: key words, marks. */
  readonly words: readonly Uint8Array[]
  /** Runs one input and throws when a rule is broken. */
  check(input: Uint8Array): void
}

export interface FuzzTerms {
  readonly seed: number
  /** Asked before each run. */
  readonly isOver: (runs: number) => boolean
}

export interface FuzzResult {
  readonly runs: number
  /** Inputs that went new ways, without the seeds. */
  readonly kept: readonly Uint8Array[]
  readonly found?: { readonly input: Uint8Array; readonly error: unknown }
}

/** Inputs for which coverage is asked once; when they went a new way, each is run again on its own. */
const TOGETHER = 16

export function fuzz(target: Target, coverage: Coverage, terms: FuzzTerms): FuzzResult {
  const random = new Random(terms.seed)
  const corpus = [...target.seeds]
  const faults: Found[] = []
  let runs = 0
  const check = (input: Uint8Array): void => {
    runs++
    try {
      target.check(input)
    } catch (error) {
      faults.push({ input, error })
    }
  }
  coverage.isNewTogether(() => target.seeds.forEach(check))
  const kept: Uint8Array[] = []
  while (faults.length === 0 && !terms.isOver(runs)) {
    const inputs = Array.from({ length: TOGETHER }, () => mutated(random, corpus, target.words))
    if (!coverage.isNewTogether(() => inputs.forEach(check))) continue
    for (const input of inputs) if (coverage.isNewWay(() => check(input))) kept.push(input)
    corpus.push(...kept.slice(corpus.length - target.seeds.length))
  }
  const [first] = faults
  return { runs, kept, ...(first !== undefined && { found: smallest(target, first) }) }
}

type Found = NonNullable<FuzzResult['found']>

/** The same fault by fewer octets, as far as leaving parts out leads. */
function smallest(target: Target, found: Found): Found {
  let best = found
  for (let part = INPUT_OCTETS_MAX; part >= 1; part = Math.floor(part / 2)) {
    for (let at = 0; at < best.input.length;) {
      const shorter = new Uint8Array([...best.input.subarray(0, at), ...best.input.subarray(at + part)])
      const error = faultOf(target, shorter)
      if (error === undefined) at += part
      else best = { input: shorter, error }
    }
  }
  return best
}

function faultOf(target: Target, input: Uint8Array): unknown {
  try {
    target.check(input)
    return undefined
  } catch (error) {
    return error
  }
}

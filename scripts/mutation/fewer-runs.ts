/**
 * Stands in for `fast-check` while mutants are tried: the same properties, with a fixed seed and fewer runs, since each is
 * run again for thousands of mutants.
 */
import { type IRawProperty, type Parameters, assert as assertProperty } from 'fast-check'

export * from 'fast-check'

/** Enough for what a property is to notice in most runs; rarer cases have a test of their own. */
const RUNS_MAX = 60
const SEED = 1

export function assert<Ts>(property: IRawProperty<Ts>, parameters: Parameters<Ts> = {}): Promise<void> | void {
  const numRuns = Math.min(parameters.numRuns ?? RUNS_MAX, RUNS_MAX)
  return assertProperty(property, { ...parameters, numRuns, seed: SEED, endOnFailure: true })
}

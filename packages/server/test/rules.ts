/** Rules for a server in a test, compiled. */
import assert from 'node:assert/strict'
import { type Decider, compile, readPolicy } from '@socksmith/policy'

/** The rules in this order, as they would stand in a file. */
export function rules(...list: readonly object[]): Decider {
  return policy({ rules: list })
}

/** A whole policy, as it would stand in a file. */
export function policy(raw: object): Decider {
  const source = { file: 'policy', lineOf: () => 1, readText: () => ({ fault: 'none' }) }
  const read = readPolicy(raw, source)
  assert.ok(read.ok, read.ok ? '' : JSON.stringify(read.problems))
  return compile(read.policy)
}

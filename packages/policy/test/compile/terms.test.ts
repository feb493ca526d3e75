/** Conditions as alternatives of which each is a list of tests. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TERMS_PER_RULE_MAX, termsOf } from '../../src/compile/terms.ts'
import type { Condition } from '../../src/index.ts'

function user(name: string): Condition {
  return { kind: 'user', words: new Set([name]), text: name }
}

function anyOf(count: number): Condition {
  return { kind: 'any', of: Array.from({ length: count }, (_, number) => user(String(number))) }
}

test('a condition has as many terms as it has combinations, up to a limit', () => {
  const counts = [
    anyOf(3),
    { kind: 'all', of: [anyOf(2), anyOf(3)] },
    { kind: 'any', of: [anyOf(2), { kind: 'all', of: [anyOf(2), anyOf(2)] }] },
    { kind: 'not', of: { kind: 'all', of: [user('a'), user('b')] } },
    { kind: 'everything' },
    { kind: 'not', of: { kind: 'everything' } },
    anyOf(TERMS_PER_RULE_MAX),
    { kind: 'any', of: [anyOf(TERMS_PER_RULE_MAX - 1), anyOf(1)] },
    { kind: 'all', of: [anyOf(32), anyOf(TERMS_PER_RULE_MAX / 32)] },
    anyOf(TERMS_PER_RULE_MAX + 1),
    { kind: 'any', of: [anyOf(TERMS_PER_RULE_MAX), anyOf(1)] },
    { kind: 'any', of: [anyOf(1), anyOf(TERMS_PER_RULE_MAX)] },
    { kind: 'all', of: [anyOf(33), anyOf(32)] },
    { kind: 'not', of: { kind: 'not', of: anyOf(TERMS_PER_RULE_MAX + 1) } },
  ] as const satisfies readonly Condition[]
  assert.deepEqual(
    counts.map(condition => termsOf(condition)?.length),
    [3, 6, 6, 2, 1, 0, 1_024, 1_024, 1_024, undefined, undefined, undefined, undefined, undefined],
  )
})

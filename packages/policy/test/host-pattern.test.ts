/** Host names in rules: what they match, and what is none. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostMatches, parseHostPattern } from '../src/host-pattern.ts'

function matches(pattern: string, names: readonly string[]): readonly boolean[] {
  return names.map(name => hostMatches(parseHostPattern(pattern) ?? assert.fail(pattern), name))
}

test('a host pattern is a name, what is below it, or both', () => {
  const names = ['a.example', 'b.a.example', 'c.b.a.example', 'xa.example', 'example', 'a.example.net']
  assert.deepEqual(matches('a.example', names), [true, false, false, false, false, false])
  assert.deepEqual(matches('*.a.example', names), [false, true, true, false, false, false])
  assert.deepEqual(matches('.a.example', names), [true, true, true, false, false, false])
  assert.deepEqual(parseHostPattern('A.Example.'), { name: 'a.example', itself: true, below: false })
})

test('a pattern has labels of 1 to 63 octets, 253 in all, and does not end as an address', () => {
  const label = 'a'.repeat(63)
  const long = `${label}.${label}.${label}.${'a'.repeat(61)}`
  for (const text of [label, long, `${long}.`, 'a_b.example', '_sip.example', 'a-b', '1.example', 'a1'])
    assert.notEqual(parseHostPattern(text), undefined, text)
  for (const text of [
    '',
    '.',
    '*',
    '*.',
    '..a',
    'a..b',
    `${label}a`,
    `${long}a`,
    '-a',
    'a-',
    'a.-b',
    'a b',
    'bücher',
    'a*',
    '*a',
    'a.*.b',
    '1.2',
    'a.1',
    '7',
    '**.a',
  ])
    assert.equal(parseHostPattern(text), undefined, text)
})

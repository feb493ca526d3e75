/** What two lists have in common: as much as there can be, in the same order. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { commonSequence } from '../src/common-sequence.ts'

const listsOf = (text: string): readonly (readonly string[])[] => text.split('|').map(list => list.split(''))

/** The places in both lists, by the elements: `b0=1 c1=2`. */
function keptOf(text: string): string {
  const [a = [], b = []] = listsOf(text)
  const { inA, inB } = commonSequence(a, b)
  const places = [...inB]
  return [...inA].map((i, index) => `${a[i]}${i}=${places[index]}`).join(' ')
}

test('both ends are common, and what lies in the same order between them', () => {
  assert.equal(keptOf('abc|abc'), 'a0=0 b1=1 c2=2')
  assert.equal(keptOf('abc|ac'), 'a0=0 c2=1')
  assert.equal(keptOf('ac|abc'), 'a0=0 c1=2')
  assert.equal(keptOf('abcde|xbydz'), 'b1=1 d3=3')
  assert.equal(keptOf('xab|aby'), 'a1=0 b2=1')
  assert.equal(keptOf('aa|aaa'), 'a0=0 a1=1')
  assert.equal(keptOf('aaa|aa'), 'a0=0 a1=1')
  for (const none of ['|', 'a|', '|a', 'ab|cd']) assert.equal(keptOf(none), '')
})

/** How long the longest common sequence is, tried out. */
function longest(a: readonly string[], b: readonly string[]): number {
  const [first, ...rest] = a
  if (first === undefined) return 0
  const at = b.indexOf(first)
  return Math.max(longest(rest, b), at < 0 ? 0 : 1 + longest(rest, b.slice(at + 1)))
}

test('of any two lists as many elements are kept as can be, each with its like, in order', () => {
  const list = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 9 })
  fc.assert(
    fc.property(list, list, (a, b) => {
      const { inA, inB } = commonSequence(a, b)
      const [placesA, placesB] = [[...inA], [...inB]]
      assert.deepEqual(
        placesA.map(i => a[i]),
        placesB.map(j => b[j]),
      )
      for (const places of [placesA, placesB])
        assert.deepEqual(
          places,
          places.toSorted((x, y) => x - y),
        )
      assert.equal(inA.size, longest(a, b))
    }),
    { numRuns: 300 },
  )
})

test('of lists that are too long only the ends are compared', () => {
  const list = Array.from({ length: 2_001 }, (_, at) => `${at}`)
  // Turned around, one element is in the same order.
  const turned = (length: number): number =>
    commonSequence(['x', ...list.slice(0, length), 'y'], ['x', ...list.slice(0, length).toReversed(), 'y']).inA.size
  assert.deepEqual([turned(20), turned(2_001)], [3, 2])
})

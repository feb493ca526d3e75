import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from '../src/nearest.ts'

test('the word with the fewest edits is meant, and nothing when all are far', () => {
  const words = ['listen', 'limits', 'log', 'drain']
  assert.equal(nearest('lsiten', words), 'listen')
  assert.equal(nearest('Limit', words), 'limits')
  assert.equal(nearest('lgo', words), 'log')
  assert.equal(nearest('colour', words), undefined)
  assert.equal(nearest('zz', words), undefined)
})

test('the word that was meant has few edits: one more, one less, another, two swapped', () => {
  const words = ['password', 'certificate', 'none', 'gssapi']
  for (const [word, meant] of [
    ['pasword', 'password'],
    ['passwword', 'password'],
    ['passward', 'password'],
    ['passwrod', 'password'],
    ['PASSWORD', 'password'],
    ['noen', 'none'],
    ['non', 'none'],
    ['gsapi', 'gssapi'],
    ['xyz', undefined],
    ['', undefined],
  ] as const)
    assert.equal(nearest(word, words), meant, word)
  assert.equal(nearest('ab', ['ba', 'abc']), 'ba')
  assert.equal(nearest('abcde', ['badce']), 'badce')
  assert.equal(nearest('abcde', ['xyzde']), undefined)
  assert.equal(nearest('a', []), undefined)
  // Of two that are as near, the first; one half of a swap is no swap, and a swap counts on top of what is before it.
  assert.equal(nearest('abcdef', ['xbcdey', 'bxcdef']), 'xbcdey')
  assert.equal(nearest('abcdef', ['xbcdey', 'xacdef']), 'xbcdey')
  assert.equal(nearest('zbacdefg', ['xbacdefy', 'wabcdefg']), 'xbacdefy')
  assert.equal(nearest('zbacdefg', ['xbacdyyg', 'wabcdefg']), 'wabcdefg')
})

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

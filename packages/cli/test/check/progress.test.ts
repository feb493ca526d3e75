import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CASES } from '@socksmith/instruments'
import { progressText } from '../../src/check/progress.ts'

test('the line says how far the check is, and what it asks', () => {
  const [first] = CASES
  assert.ok(first)
  assert.equal(progressText({ kind: 'case', case: first, index: 8, of: 177 }), `[  9/177] ${first.id} ${first.title}`)
  assert.equal(progressText({ kind: 'discovering', what: 'versions and methods' }), 'finding out: versions and methods')
})

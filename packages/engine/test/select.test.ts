/** Choosing the engine. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { selectEngine } from '../src/select.ts'

test('there is always an engine, and a reason when it is not the fastest one', () => {
  const portable = selectEngine('node')
  assert.deepEqual([portable.engine.name, portable.reason], ['node', 'it was asked for'])
  const { engine, reason } = selectEngine('auto')
  assert.equal(engine.name === 'linux', reason === undefined)
})

test('the Linux engine is never replaced in silence', () => {
  const { engine, reason } = selectEngine('linux')
  assert.equal(engine === undefined, reason !== undefined)
  if (engine !== undefined) assert.equal(engine.name, 'linux')
})

/** Choosing the engine. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { selectEngine } from '../src/select.ts'

test('there is always an engine, and a reason when it is not a faster one', () => {
  for (const kind of ['auto', 'node'] as const) {
    const { engine, reason } = selectEngine(kind)
    assert.equal(engine.name, 'node')
    assert.ok(reason)
  }
})

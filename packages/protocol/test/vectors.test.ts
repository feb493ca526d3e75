/** No vector is left out: runs the vector suites of all messages and counts what they ran against the file. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ran, vectors } from './vectors.ts'
import './wire/core.vectors.test.ts'
import './wire/methods.vectors.test.ts'

// Registered after the suites above, hence run after them.
for (const list of ['valid', 'malformed', 'chunking'] as const) {
  test(`every vector of "${list}" was run`, () => {
    const missing = vectors[list].map(({ id }) => id).filter(id => !ran[list].has(id))
    assert.deepEqual(missing, [])
    assert.equal(ran[list].size, vectors[list].length)
  })
}

test('every malformed vector comes to a code that the file lists, and every id is its own', () => {
  const codes = vectors.malformed.flatMap(({ expect }) => expect.errorKind ?? [])
  assert.deepEqual(
    codes.filter(code => !vectors.errorKinds.includes(code)),
    [],
  )
  for (const list of [vectors.valid, vectors.malformed]) {
    assert.equal(new Set(list.map(({ id }) => id)).size, list.length)
  }
})

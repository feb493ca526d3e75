/** YAML in odd forms is answered, and nothing is said beside the answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readYaml } from '../../src/config/yaml-source.ts'

test('a map as a key is no reason to warn the whole process', async t => {
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning)
  process.on('warning', onWarning)
  t.after(() => process.off('warning', onWarning))
  assert.ok(readYaml('? {a: 1}\n: 2\n').ok)
  // Warnings are told behind everything that waits now.
  await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(warnings, [])
})

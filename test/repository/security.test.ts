/** Holds docs/security.md to its word: each test that it names is there. Knows nothing of what the tests do. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT } from './tree.ts'

const PAGE = readFileSync(join(ROOT, 'docs/security.md'), 'utf8')
/** `file`: "name" */
const NAMED = [...PAGE.matchAll(/`([^`]+\.test\.ts)`: "([^"]+)"/gu)].map(([, file = '', name = '']) => ({ file, name }))

test('each test that the page on security names stands in its file', () => {
  assert.ok(NAMED.length > 80, `only ${NAMED.length} are named`)
  const sources = new Map<string, string>()
  const missing = NAMED.filter(({ file, name }) => {
    const path = join(ROOT, file)
    if (!sources.has(file)) sources.set(file, existsSync(path) ? readFileSync(path, 'utf8') : '')
    return !sources.get(file)?.includes(name)
  })
  assert.deepEqual(missing, [])
})

test('no test is named in a way that is not looked at', () => {
  const files = PAGE.match(/`[^`]+\.test\.ts`/gu) ?? []
  assert.equal(files.length, NAMED.length)
})

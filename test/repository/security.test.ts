/** Holds the pages that name tests to their word: each test is there. Knows nothing of what the tests do. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT } from './tree.ts'

/** Pages, with the least number of tests that each names: fewer would mean that they are not found. */
const PAGES: Readonly<Record<string, number>> = {
  'docs/security.md': 80,
  'docs/field-bugs.md': 30,
  'docs/reliability.md': 40,
}

for (const [path, least] of Object.entries(PAGES)) {
  const page = readFileSync(join(ROOT, path), 'utf8')
  /** `file`: "name" */
  const named = [...page.matchAll(/`([^`]+\/[^`]+\.ts)`: "([^"]+)"/gu)].map(([, file = '', name = '']) => ({
    file,
    name,
  }))

  test(`each test that ${path} names stands in its file`, () => {
    assert.ok(named.length > least, `only ${named.length} are named`)
    const sources = new Map<string, string>()
    const missing = named.filter(({ file, name }) => {
      const source = join(ROOT, file)
      if (!sources.has(file)) sources.set(file, existsSync(source) ? readFileSync(source, 'utf8') : '')
      return !sources.get(file)?.includes(name)
    })
    assert.deepEqual(missing, [])
  })

  test(`no test is named by ${path} in a way that is not looked at`, () => {
    const files = page.match(/`[^`]+\.test\.ts`/gu) ?? []
    assert.equal(files.length, named.filter(({ file }) => file.endsWith('.test.ts')).length)
  })
}

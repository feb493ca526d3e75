/** What the libraries must leave to the program that uses them. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const FORBIDDEN: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['logs', /\bconsole\.|process\.(stdout|stderr)/],
  ['ends the process', /process\.(exit|abort|kill|exitCode)/],
  ['installs a global handler', /process\.(on|once|addListener|prependListener)\(|setUncaughtException/],
  ['changes the environment', /process\.env\b.*=[^=]/],
]

const sources = globSync('packages/{protocol,policy,engine,server,instruments}/src/**/*.ts')

test('no library logs, ends the process, or installs a global handler', () => {
  assert.ok(sources.length > 50)
  for (const file of sources) {
    const source = readFileSync(file, 'utf8')
    for (const [what, pattern] of FORBIDDEN) assert.doesNotMatch(source, pattern, `${file} ${what}`)
  }
})

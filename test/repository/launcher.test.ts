/** The launcher under a real old Node, which must be able to read it at least as far as its own refusal. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { ROOT } from './tree.ts'

/** The major version that can run the sources; everything below is an old Node. */
const MAJOR_NEEDED = 24

test('an old Node is refused in words that say which one is needed and how to get it', t => {
  const old = oldNode()
  if (old === undefined) return t.skip(`no Node older than ${MAJOR_NEEDED} in PATH or /usr/bin`)
  const launcher = join(ROOT, 'packages/cli/bin/socksmith.js')
  const { status, stdout, stderr } = spawnSync(old.path, [launcher, 'serve', '--listen', '127.0.0.1:0'], {
    encoding: 'utf8',
    timeout: 30_000,
  })
  assert.equal(status, 69)
  assert.equal(stdout, '')
  assert.ok(stderr.startsWith(`socksmith needs Node 24.8 or newer, and this is Node ${old.version}.\n`), stderr)
  assert.match(stderr, /npm install .*node@26/)
})

interface OldNode {
  readonly path: string
  readonly version: string
}

function oldNode(): OldNode | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/bin', '/usr/bin']
  for (const folder of new Set(folders)) {
    const path = join(folder, 'node')
    // Empty where there is no such program.
    const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout?.trim().slice(1) ?? ''
    if (version !== '' && Number.parseInt(version, 10) < MAJOR_NEEDED) return { path, version }
  }
  return undefined
}

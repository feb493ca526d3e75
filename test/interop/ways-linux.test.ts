/**
 * What only the Linux engine can do, in a network namespace of its own: leaving by an interface, with a mark, and by any
 * address of a prefix. Nothing outside of the namespace is touched.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type TestContext, test } from 'node:test'
import { namespaceObstacle } from './namespace/obstacle.ts'
import { temporaryFolder } from './server.ts'

const INSIDE = fileURLToPath(new URL('namespace/inside.ts', import.meta.url))

/** Runs the scene with this configuration. */
async function inNamespace(t: TestContext, config: string): Promise<string> {
  const cwd = await temporaryFolder(t)
  await writeFile(join(cwd, 'a.yaml'), config)
  const args = ['-n', process.execPath, '--conditions=@socksmith/source', INSIDE]
  return execFileSync('unshare', args, { cwd, encoding: 'utf8', timeout: 60_000 })
}

test('by interface and by mark, by any address of a prefix, and UDP likewise', async t => {
  const reason = namespaceObstacle('ip link set lo up')
  if (reason !== undefined) return t.skip(reason)
  const config = [
    'ways:',
    '  device: { interface: near2 }',
    '  marked: { mark: 7 }',
    '  gone: { interface: near3 }',
    "  prefix: { source: '2001:db8:1::/64' }",
    "  same: { source: '2001:db8:1::/64', sticky: user }",
    'policy:',
    '  rules:',
    '    - { allow: { user: device }, via: device }',
    '    - { allow: { user: marked }, via: marked }',
    '    - { allow: { user: gone }, via: gone }',
    '    - { allow: { user: prefix }, via: prefix }',
    '    - { allow: { user: same }, via: same }',
    '    - { allow: everything }\n',
  ].join('\n')
  const seen = JSON.parse(await inNamespace(t, config)) as {
    readonly [name: string]: readonly string[]
  }
  // By TCP and by UDP.
  assert.deepEqual(seen['straight'], ['10.9.1.1', '10.9.1.1'])
  assert.deepEqual(seen['device'], ['10.9.2.1', '10.9.2.1'])
  assert.deepEqual(seen['marked'], ['10.9.2.1', '10.9.2.1'])
  assert.deepEqual(seen['gone'], ['refused'])
  const [first, second] = seen['prefix'] ?? []
  assert.ok(first?.startsWith('2001:db8:1:') === true && second !== first, JSON.stringify(seen))
  const [same, again] = seen['same'] ?? []
  assert.ok(same?.startsWith('2001:db8:1:') === true && again === same, JSON.stringify(seen))
})

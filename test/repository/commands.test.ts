/**
 * The commands of package.json in a tree where nothing was ever built, as a fresh clone is: each must find its own sources.
 * Knows nothing of what they do.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { type Folder, ROOT, SAME_NODE, copyTree, temporaryFolder } from './tree.ts'

/** No command has it: one that has found all that it imports refuses it, in one line with its usage, and does nothing more. */
const UNKNOWN = '--no-such-option'

const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>
}
// The tests and the checks run in every fresh clone anyway, and `start` is the launcher, which has a test of its own.
const RUN_ELSEWHERE = /^(?:start|check|test(?::.*)?)$/
const commands = Object.entries(scripts).filter(([name, line]) => line.startsWith('node ') && !RUN_ELSEWHERE.test(name))

suite('a command of package.json, where nothing was built', () => {
  let folder: Folder

  before(async () => {
    folder = await temporaryFolder()
    await copyTree(folder.path)
  })

  after(() => folder.remove())

  test('are these', () => assert.ok(commands.length > 5, `${commands.length}`))

  for (const [name] of commands) {
    test(`npm run ${name} finds what it imports`, () => {
      const { stderr, status } = spawnSync('npm', ['run', '--silent', name, '--', UNKNOWN], {
        cwd: folder.path,
        env: SAME_NODE,
        encoding: 'utf8',
        timeout: 60_000,
      })
      assert.match(stderr, new RegExp(`^Unknown option '${UNKNOWN}'.*\nusage: npm run ${name}.*\n$`))
      assert.equal(status, 64)
    })
  }
})

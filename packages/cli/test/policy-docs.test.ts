import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type FindingKind, lint, runCases } from '@socksmith/policy'
import { openPolicyFile } from '../src/policy/open-policy.ts'
import { temporaryFolder } from './run-command.ts'

const NOW = Date.UTC(2026, 10, 18, 12)

for (const [page, policies, cases] of [
  ['policy', 1, 4],
  ['limits', 2, 0],
  ['policy-examples', 6, 45],
] as const) {
  test(`the policies of docs/${page}.md decide as their cases say, and every rule has its use`, async t => {
    const folder = await temporaryFolder(t)
    for (const [name, text] of [
      ['blocked.txt', '.ads.test\n'],
      ['guests.txt', 'carol\n'],
    ] as const) {
      await writeFile(join(folder, name), text)
    }
    const text = await readFile(new URL(`../../../docs/${page}.md`, import.meta.url), 'utf8')
    const blocks = [...text.matchAll(/```yaml\n([^]*?)```/g)].map(match => match[1] ?? '')
    assert.equal(blocks.length, policies)
    let ran = 0
    for (const [index, block] of blocks.entries()) {
      const file = join(folder, `${index}.yaml`)
      await writeFile(file, block)
      const opened = await openPolicyFile(file)
      assert.ok(opened.ok, opened.ok ? '' : opened.trouble.message)
      const { policy, options } = opened.value
      for (const { case: one, fault } of runCases(policy, NOW, options)) {
        ran++
        assert.equal(fault, undefined, `line ${one.place.line} of\n${block}`)
      }
      const dead = new Set<FindingKind>(['never-matches', 'shadowed', 'contradicted'])
      assert.deepEqual(
        lint(policy, NOW, options).filter(one => dead.has(one.kind)),
        [],
      )
    }
    assert.ok(ran >= cases, String(ran))
  })
}

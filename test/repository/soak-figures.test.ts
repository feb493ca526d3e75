/** The section of docs/reliability.md that a soak writes. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { withFigures } from '../soak/figures.ts'
import type { SoakReport } from '../soak/soak.ts'

const RUN = { command: 'npm run soak -- --minutes 10 --write', date: '2026-11-22', machine: 'Node v26.10.0, 2 cores' }

function report(engine: string, criteria: SoakReport['criteria'], missing: readonly string[] = []): SoakReport {
  return {
    engine,
    workers: engine === 'linux' ? 2 : 0,
    seed: 7,
    seconds: 300,
    criteria,
    played: 3,
    missing,
    failures: [],
  }
}

const LINUX = report('linux', [
  { row: 'R-01', what: 'tunnels held', worst: 9_000, times: 1, ok: true, atLeast: 9_000 },
  { row: 'R-29', what: 'heap', worst: 9.345, times: 2, ok: false, atMost: 8, unit: 'MiB' },
])
const NODE = report(
  'node',
  [
    { row: 'R-02', what: 'rounds', worst: 5, times: 1, ok: true },
    { row: 'R-29', what: 'heap', worst: 1, times: 2, ok: true, atMost: 4, unit: 'MiB' },
  ],
  ['a worker: none'],
)
const EMPTY = 'before\n<!-- soak: begin -->\nold\n<!-- soak: end -->\nafter\n'

test('it has a line for each figure and a column for each engine, and nothing else of the page changes', () => {
  assert.equal(
    withFigures(EMPTY, 'soak', [LINUX, NODE], RUN),
    `before
<!-- soak: begin -->

Of all times that something was measured, the worst.

- linux, 2 workers, seed 7: \`npm run soak -- --minutes 10 --write\`, 2026-11-22, Node v26.10.0, 2 cores: 3 played in 300 s, 2 figures, 1 failed
- node, 0 workers, seed 7: \`npm run soak -- --minutes 10 --write\`, 2026-11-22, Node v26.10.0, 2 cores: 3 played in 300 s, 2 figures, 0 failed; not played: a worker: none

| row | what | limit | linux | node |
| --- | --- | --- | --- | --- |
| R-01 | tunnels held | at least 9000 | 9000 |  |
| R-02 | rounds |  |  | 5 |
| R-29 | heap | at most 8 MiB, at most 4 MiB | **9.35 MiB** | 1 MiB |

<!-- soak: end -->
after
`,
  )
})

test('a run of one engine leaves the column of the other one as it is', () => {
  const both = withFigures(EMPTY, 'soak', [LINUX, NODE], RUN)
  assert.equal(withFigures(withFigures(EMPTY, 'soak', [NODE], RUN), 'soak', [LINUX], RUN), both)
  assert.equal(withFigures(both, 'soak', [NODE], RUN), both)
  const again = report('linux', [{ row: 'R-29', what: 'heap', worst: 5, times: 1, ok: true, atMost: 6, unit: 'MiB' }])
  const page = withFigures(both, 'soak', [again], { ...RUN, date: '2026-12-01' })
  assert.match(page, /^- linux, .*2026-12-01.* 0 failed\n- node, .*2026-11-22/m)
  assert.match(
    page,
    /\| R-02 \| rounds \|  \|  \| 5 \|\n\| R-29 \| heap \| at most 6 MiB, at most 4 MiB \| 5 MiB \| 1 MiB \|\n\n/,
  )
  assert.doesNotMatch(page, /R-01/)
})

test('some rows made anew stand among the others, and both runs are told', () => {
  const both = withFigures(EMPTY, 'soak', [LINUX, NODE], RUN)
  const again = report('linux', [
    { row: 'R-29', what: 'heap', worst: 5, times: 1, ok: true, atMost: 8, unit: 'MiB' },
    { row: 'each', what: 'other', worst: 5, times: 1, ok: true },
  ])
  const page = withFigures(both, 'soak', [again], { ...RUN, date: '2026-12-01' }, ['R-29'])
  assert.match(page, /\| R-01 \| tunnels held \| at least 9000 \| 9000 \|/)
  assert.match(page, /\| R-29 \| heap \| at most 8 MiB, at most 4 MiB \| 5 MiB \| 1 MiB \|/)
  assert.doesNotMatch(page, /other/)
  assert.deepEqual(
    [...page.matchAll(/- linux.*(2026-\d\d-\d\d)/g)].map(([, date]) => date),
    ['2026-11-22', '2026-12-01'],
  )
})

test('the page has the marks of each section, and a page without them is refused', () => {
  const page = readFileSync('docs/reliability.md', 'utf8')
  for (const section of ['soak', 'soak in full size', 'alone'] as const) {
    assert.notEqual(withFigures(page, section, [NODE], RUN), page)
    assert.equal(withFigures(page, section, [], RUN), page)
  }
  assert.throws(() => withFigures('nothing', 'soak', [], RUN), /no marks/)
})

/** The section of docs/reliability.md that a soak writes. */
import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Criteria } from '../soak/criteria.ts'
import { withFigures } from '../soak/figures.ts'
import { growth } from '../soak/rest.ts'
import { SessionLog } from '../soak/session-log.ts'
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

test('the growth of the heap is that of the line nearest to its rests, give or take what they lie beside it', () => {
  const flat = [0, 1, 2, 3, 4].map(minute => ({ atMs: minute * 60_000, octets: 5_000_000 }))
  assert.deepEqual(growth(flat), { anHour: 0, giveOrTake: 0 })
  assert.deepEqual(growth(flat.map(({ atMs, octets }) => ({ atMs, octets: octets + atMs }))), {
    anHour: 3_600_000,
    giveOrTake: 0,
  })
  // By hand: residuals -16, 24, -16, 24, -16; their squares' sum 1920 over 3, over 10 minutes squared: an error of 8 a minute.
  const noisy = flat.map(({ atMs, octets }, i) => ({ atMs, octets: octets + (i % 2) * 40 }))
  assert.deepEqual(growth(noisy), { anHour: 0, giveOrTake: 960 })
})

test('the log is read in parts, and the one is kept in which something failed', t => {
  const folder = mkdtempSync(join(tmpdir(), 'socksmith-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const [path, copies] = [join(folder, 'log'), [1, 2, 3].map(part => join(folder, `${part}.log`))]
  writeFileSync(path, '')
  const log = new SessionLog(path, { name: 'alice', password: 'secret' })
  const [first, second] = [
    '{"duration_ms":5}\n{"duration_ms":-1}\n',
    '{"duration_ms":3600000,"user":"YWxpY2U6c2VjcmV0"}\n',
  ]
  for (const [part, failures] of [
    [first, 0],
    [second, 1],
    ['"worker-died"', 1],
  ] as const) {
    appendFileSync(path, part)
    log.read()
    log.next(failures, copies.shift() ?? '')
  }
  assert.deepEqual(
    [1, 2, 3].map(part => existsSync(join(folder, `${part}.log`))),
    [false, true, false],
  )
  assert.equal(readFileSync(join(folder, '2.log'), 'latin1'), second)
  const criteria = new Criteria()
  log.tell(criteria, 'ready\nThe secret was written', 0)
  assert.deepEqual(
    criteria.all.map(({ what, worst, ok }) => [what, worst, ok]),
    [
      ['sessions in the log', 3, true],
      ['sessions whose time makes no sense', 2, false],
      ['workers that died', 1, false],
      ['times that the server called something a bug of its own', 0, true],
      ['secrets in the log and on standard error', 2, false],
    ],
  )
})

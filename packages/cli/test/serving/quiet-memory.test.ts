import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { Crowd } from '../../src/serving/quiet-memory.ts'

/** The looks, counted from 1, that found that a crowd has left. */
function looksThatTell(sessions: readonly number[]): readonly number[] {
  const crowd = new Crowd()
  return sessions.flatMap((count, index) => (crowd.hasLeft(count) ? [index + 1] : []))
}

const times = (count: number, sessions: number): readonly number[] => Array.from({ length: count }, () => sessions)

test('a crowd has left when a quarter of it at most was there ten times in a row, and that is told once', () => {
  assert.deepEqual(looksThatTell([0, 1_000, ...times(30, 250)]), [12])
  assert.deepEqual(looksThatTell([0, 1_000, ...times(30, 251)]), [])
  assert.deepEqual(looksThatTell([256, ...times(20, 0), 256, ...times(20, 64)]), [11, 32])
})

test('a crowd that comes and goes keeps what it needs', () => {
  assert.deepEqual(looksThatTell(Array.from({ length: 10 }, () => [500, ...times(9, 10)]).flat()), [])
})

test('a few that leave are no crowd', () => {
  assert.deepEqual(looksThatTell([255, ...times(30, 0)]), [])
})

const QUIET_MEMORY = new URL('../../src/serving/quiet-memory.ts', import.meta.url).href

/** Of what is made, each piece lives for some rounds of the young generation's collector: it becomes garbage of the old one. */
const GARBAGE = `
  import { setImmediate as turn } from 'node:timers/promises'
  import { getHeapSpaceStatistics } from 'node:v8'
  import { keepMemorySmall } from '${QUIET_MEMORY}'

  if (process.argv[1] === 'small') keepMemorySmall(false)
  const oldMib = () => getHeapSpaceStatistics().find(one => one.space_name === 'old_space').space_used_size / 1_048_576
  const alive = []
  let most = 0
  for (let made = 0; made < 6_000_000; made++) {
    alive[made % 200_000] = { made, list: [made, made, made, made] }
    if (made % 1_000 > 0) continue
    if (made > 2_000_000) most = Math.max(most, oldMib())
    await turn()
  }
  console.log(most)
`

function mostMib(...args: readonly string[]): number {
  const flags = ['--conditions=@socksmith/source', '--input-type=module', '--eval', GARBAGE]
  return Number(execFileSync(process.execPath, [...flags, ...args], { encoding: 'utf8' }))
}

test('a process that keeps its memory small has less garbage beside what lives', () => {
  const [ofItself, small] = [mostMib(), mostMib('small')]
  assert.ok(small < 0.8 * ofItself, `${small} MiB, and ${ofItself} MiB of itself`)
})

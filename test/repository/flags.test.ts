/** The repository's own commands keep to their flags, and say no to wrong ones. Knows nothing of what they do otherwise. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { suite, test } from 'node:test'
import { isShown } from '../soak/criteria.ts'
import { ROOT } from './tree.ts'

/** As `npm run` gives it; soak and others get the condition there, and the rest does not mind. */
function run(script: string, ...args: readonly string[]): { stdout: string; stderr: string; status: number | null } {
  return spawnSync(process.execPath, ['--conditions=@socksmith/source', script, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 60_000,
  })
}

/** One line that names the flag and one with the usage; nothing was done. */
const REFUSED: readonly (readonly [script: string, args: readonly string[], line: RegExp])[] = [
  ['scripts/fuzz.ts', ['--input', 'zz', '--target', 'policy'], /^--input zz: expected pairs of hex digits$/],
  ['scripts/fuzz.ts', ['--seconds', '0'], /^--seconds is a number above 0/],
  ['scripts/fuzz.ts', ['--seed', ''], /^--seed is a whole number from 0 to \d+, not ""$/],
  ['scripts/fuzz.ts', ['--target', 'nope'], /^--target nope: no target/],
  ['scripts/simulate.ts', ['--seeds', '0'], /^--seeds is a whole number from 1 to \d+, not "0"$/],
  ['scripts/simulate.ts', ['--seeds', ''], /^--seeds is a whole number from 1 to \d+, not ""$/],
  ['scripts/simulate.ts', ['--seed', '-3'], /'--seed.*ambiguous/],
  ['scripts/simulate.ts', ['--seed=-3'], /^--seed is a whole number/],
  ['scripts/simulate.ts', ['3'], /^Unexpected argument '3'/],
  ['scripts/soak.ts', ['--only', 'R-28,R-99', '--minutes', '0.1'], /^--only R-99: no fault shows this row/],
  ['scripts/soak.ts', ['--only', 'R-28,'], /^--only : no fault/],
  ['scripts/soak.ts', ['--full', '--only', 'R-01'], /^--full and --only: one of them/],
  ['scripts/soak.ts', ['--full', '--alone'], /^--full and --alone: one of them/],
  ['scripts/soak.ts', ['--alone', '--only', 'R-99'], /^--only R-99: no fault shows this row/],
  ['scripts/coverage.ts', ['--bogus'], /^Unknown option '--bogus'/],
  ['scripts/soak.ts', ['--write', '--only', 'R-01'], /^--write and --only: only with --alone/],
  ['scripts/soak.ts', ['--engine', 'windows'], /^--engine windows: there are/],
  ['scripts/soak.ts', ['--workers', '1.5'], /^--workers is a whole number/],
  ['scripts/endure.ts', ['--rounds', 'x'], /^--rounds is a whole number from 32/],
  ['scripts/endure.ts', ['--engine', 'windows'], /^--engine windows: there are/],
  ['scripts/bench.ts', ['--only', 'sideways'], /^--only sideways: there are/],
  ['scripts/bench.ts', ['--programs', 'squid'], /^--programs squid: there are/],
  ['scripts/bench.ts', ['--rounds', '0'], /^--rounds is a whole number from 1 to 100, not "0"$/],
  ['packages/client/bench/main.ts', ['--seconds', '99'], /^--seconds is a number above 0, 60 at most, not "99"$/],
  ['packages/client/bench/main.ts', ['--only', 'sideways'], /^--only sideways: no row/],
  ['scripts/mutate.ts', ['--package', 'engine'], /^--package engine: there are/],
  ['scripts/mutate.ts', ['--only', 'packages/cli/src/main.ts'], /^--only packages\/cli\/src\/main\.ts: expected/],
  ['scripts/check-servers.ts', ['squid'], /^squid: there are/],
  ['scripts/check.ts', ['--bogus'], /^Unknown option '--bogus'/],
  ['scripts/test.ts', ['unit', '--bogus'], /^Unknown option '--bogus'/],
  ['scripts/test.ts', ['everything'], /^no suite "everything"/],
]

suite('a wrong flag', () => {
  for (const [script, args, line] of REFUSED) {
    test(`is refused: ${script} ${args.map(arg => arg || "''").join(' ')}`, () => {
      const { stdout, stderr, status } = run(script, ...args)
      const [first = '', usage = '', ...rest] = stderr.split('\n')
      assert.match(first, line)
      assert.match(usage, /^usage: npm /)
      assert.deepEqual(rest, [''])
      assert.equal(stdout, '')
      assert.equal(status, 64)
    })
  }
})

test('a soak that played no fault is no success, whatever its figures are', () => {
  const held = { row: 'R-29', what: 'exit code', worst: 0, times: 1, ok: true }
  assert.equal(isShown(0, [held]), false)
  assert.equal(isShown(1, [held]), true)
  assert.equal(isShown(1, [held, { ...held, ok: false }]), false)
})

suite('fuzz', () => {
  test('shares its time among the targets that are chosen', () => {
    const startedMs = performance.now()
    const { stdout, status } = run('scripts/fuzz.ts', '--seconds', '5', '--target', 'socks5')
    const tookMs = performance.now() - startedMs
    assert.equal(status, 0, stdout)
    assert.match(stdout, /^5 targets, 0 broken; \d+ runs/m)
    // Each of the five for itself would take 25 s; what is above 5 s is the start of the program.
    assert.ok(tookMs < 20_000, `${tookMs} ms`)
  })

  test('runs one input, and says how many targets had it', () => {
    const { stdout, status } = run('scripts/fuzz.ts', '--input', '0501', '--target', 'socks5.greeting')
    assert.match(stdout, /^socks5\.greeting keeps every rule\n1 targets, 0 broken; 1 runs/)
    assert.equal(status, 0)
  })
})

/**
 * Runs the tests: `unit` (everything but real foreign programs) or `interop` (curl, socat, Dante's client and others
 * against the command). Prints node:test's own report; its closing lines say what ran.
 */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'

const SUITES: Readonly<Record<string, { readonly files: string; readonly concurrency: number }>> = {
  unit: { files: '{packages/*/test,test/repository,test/simulation}/**/*.test.ts', concurrency: 2 },
  // Real programs side by side on two cores make time-outs that mean nothing.
  interop: { files: 'test/interop/**/*.test.ts', concurrency: 1 },
}

const [suiteName = 'unit', ...patterns] = process.argv.slice(2)
const suite = SUITES[suiteName]
if (suite === undefined) {
  process.stderr.write(`test: no suite "${suiteName}"; there are ${Object.keys(SUITES).join(', ')}\n`)
  process.exit(64)
}
const files = globSync(suite.files).filter(file => patterns.every(pattern => file.includes(pattern)))
if (files.length === 0) {
  process.stderr.write(`test: no test file of "${suiteName}" matches ${patterns.join(' ')}\n`)
  process.exit(66)
}
const result = spawnSync(
  process.execPath,
  [
    '--conditions=@socksmith/source',
    '--test',
    `--test-concurrency=${suite.concurrency}`,
    '--test-timeout=180000',
    '--test-reporter=spec',
    ...files.toSorted(),
  ],
  { stdio: 'inherit' },
)
process.exitCode = result.status ?? 1

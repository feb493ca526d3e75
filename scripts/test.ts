/**
 * Runs the tests: `unit` (everything but real foreign programs) or `interop` (curl, socat, Dante's client and others
 * against the command). Prints node:test's own report; its closing lines say what ran.
 */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { readFlags } from './flags.ts'

const SUITES: Readonly<Record<string, { readonly files: string; readonly concurrency: number }>> = {
  unit: { files: '{packages/*/test,test/repository,test/simulation,test/fuzz}/**/*.test.ts', concurrency: 2 },
  // Real programs side by side on two cores make time-outs that mean nothing.
  interop: { files: 'test/interop/**/*.test.ts', concurrency: 1 },
}

const { positionals, refuse } = readFlags('npm test -- [PART-OF-A-FILE-NAME]...', {}, true)
const [suiteName = 'unit', ...patterns] = positionals
const suite = SUITES[suiteName] ?? refuse(`no suite "${suiteName}"; there are ${Object.keys(SUITES).join(', ')}`)
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

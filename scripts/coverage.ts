/**
 * How much of the protocol its own tests run through: decoders and handshake machines read what strangers send, and shall have
 * no branch that nobody has tried. Exits with 1 when a test fails or fewer than 98 of 100 branches were taken.
 */
import { globSync } from 'node:fs'
import { run } from 'node:test'
import { readFlags } from './flags.ts'

const BRANCHES_PERCENT_MIN = 98
const PARSERS = 'packages/protocol'

readFlags('npm run coverage', {})

const tests = run({
  files: globSync(`${PARSERS}/test/**/*.test.ts`),
  execArgv: ['--conditions=@socksmith/source'],
  coverage: true,
  coverageIncludeGlobs: [`${PARSERS}/src/**`],
})
let failed = 0
let percent = 0
tests.on('test:fail', ({ name, file, line }) => {
  failed++
  process.stdout.write(`failed: ${file}:${line}: ${name}\n`)
})
tests.on('test:coverage', ({ summary: { totals, files } }) => {
  percent = totals.coveredBranchPercent
  for (const { path, coveredBranchPercent, branches } of files) {
    const missed = branches.filter(({ count }) => count === 0).map(({ line }) => line)
    if (missed.length === 0) continue
    process.stdout.write(`${path}: ${coveredBranchPercent.toFixed(1)} %, not taken at ${missed.join(', ')}\n`)
  }
  const { totalBranchCount, coveredBranchCount, coveredLinePercent } = totals
  process.stdout.write(
    `branches of ${PARSERS}: ${coveredBranchCount} of ${totalBranchCount} taken, ${percent.toFixed(2)} % (at least ${BRANCHES_PERCENT_MIN} %); lines ${coveredLinePercent.toFixed(2)} %\n`,
  )
})
for await (const _ of tests);
process.exitCode = failed === 0 && percent >= BRANCHES_PERCENT_MIN ? 0 : 1

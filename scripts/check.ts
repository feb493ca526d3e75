/**
 * Everything that can be said about the sources without running them: types, the protocol's purity, lint with the
 * rules of the layers, format, unused code, and whether the lockfile is whole. Runs all and names what failed.
 */
import { spawn } from 'node:child_process'
import { readFlags } from './flags.ts'
import { missingFromLock } from './lockfile.ts'

readFlags('npm run check', {})

interface Check {
  readonly name: string
  readonly command: readonly string[]
}

const CHECKS: readonly Check[] = [
  { name: 'types', command: ['tsc', '-p', '.'] },
  // Tests may leave types to inference; sources may not, so that declarations can be made file by file.
  { name: 'types of what is published', command: ['tsc', '-p', 'tsconfig.sources.json'] },
  { name: 'purity of the protocol', command: ['tsc', '-p', 'packages/protocol', '--noEmit'] },
  { name: 'purity of the policy', command: ['tsc', '-p', 'packages/policy/tsconfig.purity.json'] },
  { name: 'lint and layers', command: ['oxlint'] },
  { name: 'format', command: ['oxfmt', '--check'] },
  { name: 'unused code', command: ['knip', '--no-progress'] },
]

interface Outcome {
  readonly name: string
  readonly ok: boolean
  readonly output: string
}

function run(check: Check): Promise<Outcome> {
  const [program = '', ...args] = check.command
  return new Promise(resolve => {
    const child = spawn(`node_modules/.bin/${program}`, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('error', error => resolve({ name: check.name, ok: false, output: String(error) }))
    child.on('close', code => resolve({ name: check.name, ok: code === 0, output: Buffer.concat(chunks).toString() }))
  })
}

const missing = missingFromLock('package-lock.json')
const outcomes: Outcome[] = [
  { name: 'lockfile', ok: missing.length === 0, output: missing.map(name => `missing: ${name}\n`).join('') },
]
for (const check of CHECKS) outcomes.push(await run(check))
for (const { name, ok, output } of outcomes) {
  process.stdout.write(`${ok ? 'ok    ' : 'FAILED'} ${name}\n`)
  if (!ok) process.stdout.write(`${output}\n`)
}
process.exitCode = outcomes.every(({ ok }) => ok) ? 0 : 1

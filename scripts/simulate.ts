/**
 * Runs the server in simulated worlds, one for each seed, and prints those that broke a rule.
 *
 *   --seeds N     worlds (10,000)
 *   --seed S      the first of them (1); alone, it is the only one
 *   --verbose     prints everything that happens in each
 */
import { registerHooks } from 'node:module'
import { readFlags } from './flags.ts'

// The packages of a checkout are not built: their sources are taken.
registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier, { ...context, conditions: [...context.conditions, '@socksmith/source'] }),
})
const { runWorld } = await import('../test/simulation/run.ts')

const { values, whole } = readFlags('npm run simulate -- [--seeds N] [--seed S] [--verbose]', {
  seeds: { type: 'string' },
  seed: { type: 'string' },
  verbose: { type: 'boolean', default: false },
})
const SEED_MAX = 2 ** 32 - 1
const first = whole('--seed', values.seed ?? '1', 0, SEED_MAX)
const count = whole('--seeds', values.seeds ?? (values.seed === undefined ? '10000' : '1'), 1, SEED_MAX)

const startedMs = performance.now()
let steps = 0
let failed = 0
for (let seed = first; seed < first + count; seed++) {
  const result = await runWorld(seed, {}, values.verbose ? line => process.stdout.write(`${line}\n`) : undefined)
  steps += result.steps
  if (result.violations.length === 0) continue
  failed++
  process.stdout.write(`seed ${seed}:\n${result.violations.map(one => `  ${one}\n`).join('')}`)
}
const seconds = (performance.now() - startedMs) / 1_000
process.stdout.write(`${count} worlds, ${failed} failed; ${steps} events in ${seconds.toFixed(1)} s\n`)
if (failed > 0) process.stdout.write('again, in full: npm run simulate -- --verbose --seed SEED\n')
process.exitCode = failed === 0 ? 0 : 1

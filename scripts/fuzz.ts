/**
 * Fuzzes every decoder, both handshake machines and the parsers of configuration and policy, guided by coverage.
 *
 *   --seconds N     for all of them together (60)
 *   --target NAME   only those whose name holds NAME
 *   --seed S        of the changes to the inputs (the time)
 *   --keep          adds inputs that went new ways to test/fuzz/corpus
 *   --input HEX     runs one input, as it was printed
 */
import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import type { Target } from '../test/fuzz/fuzz.ts'
import { readFlags } from './flags.ts'

// The packages of a checkout are not built: their sources are taken.
registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier, { ...context, conditions: [...context.conditions, '@socksmith/source'] }),
})
const { Coverage } = await import('../test/fuzz/coverage.ts')
const { fuzz } = await import('../test/fuzz/fuzz.ts')
const { GROUPS, corpusFile, keptOf } = await import('../test/fuzz/targets.ts')
const { fromHex, toHex } = await import('@socksmith/protocol')

/** What is kept stays small: the shortest of what went new ways, and so much for each target. */
const KEPT_MAX = 60
const KEPT_OCTETS_MAX = 400

const { values, refuse, whole, positive } = readFlags(
  'npm run fuzz -- [--seconds N] [--target NAME] [--seed S] [--keep] [--input HEX]',
  {
    seconds: { type: 'string', default: '60' },
    target: { type: 'string', default: '' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    keep: { type: 'boolean', default: false },
    input: { type: 'string' },
  },
)
const seconds = positive('--seconds', values.seconds, 10 ** 6)
const seed = whole('--seed', values.seed, 0, 2 ** 32)
const input = values.input === undefined ? undefined : octetsOf(values.input)

const isChosen = (name: string): boolean => name.includes(values.target)
const groups = GROUPS.filter(({ names }) => names.some(isChosen))
const count = groups.flatMap(({ names }) => names.filter(isChosen)).length
if (count === 0) refuse(`--target ${values.target}: no target has this in its name`)
const msEach = (seconds * 1_000) / count
let [runs, broken, begun] = [0, 0, 0]
const coverage = new Coverage(url => url.startsWith('file:') && !/\/(?:node_modules|test|scripts)\//.test(url))
for (const { load } of groups) for (const target of await load()) if (isChosen(target.name)) run(target)
process.stdout.write(`${count} targets, ${broken} broken; ${runs} runs, seed ${seed}\n`)
process.exitCode = broken === 0 ? 0 : 1

function run(target: Target): void {
  if (input !== undefined) {
    target.check(input)
    runs++
    process.stdout.write(`${target.name} keeps every rule\n`)
    return
  }
  const endMs = performance.now() + msEach
  const result = fuzz(target, coverage, { seed: seed + begun++, isOver: () => performance.now() > endMs })
  runs += result.runs
  process.stdout.write(`${target.name.padEnd(24)} ${result.runs} runs, ${result.kept.length} new ways\n`)
  if (values.keep) keep(target.name, result.kept)
  if (result.found === undefined) return
  broken++
  const { input: octets, error } = result.found
  process.stdout.write(`BROKEN by ${JSON.stringify(Buffer.from(octets).toString('latin1'))}\n`)
  process.stdout.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.stdout.write(`again: npm run fuzz -- --target ${target.name} --input ${toHex(octets)}\n`)
}

function octetsOf(hex: string): Uint8Array {
  return fromHex(hex) ?? refuse(`--input ${hex}: expected pairs of hex digits`)
}

function keep(name: string, inputs: readonly Uint8Array[]): void {
  const short = inputs.filter(({ length }) => length <= KEPT_OCTETS_MAX).toSorted((a, b) => a.length - b.length)
  const room = KEPT_MAX - keptOf(name).length
  for (const input of short.slice(0, Math.max(0, room))) appendFileSync(corpusFile(name), `${toHex(input)}\n`)
}

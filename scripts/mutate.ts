/**
 * Mutation testing: Stryker changes one thing in a source, and some test must notice.
 *
 *   --package NAME   protocol or policy (both)
 *   --only GLOB      of sources, from the root of the repository; may be given more than once
 *   --show           lists each mutant that nothing noticed, with those that the compiler refuses behind the others
 *   --json FILE      writes every mutant, with what became of it, to a file
 *
 * Exits 1 when a package has less than the score it must have.
 */
import { globSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { Stryker } from '@stryker-mutator/core'
import type { MutantResult, PartialStrykerOptions } from '@stryker-mutator/api/core'
import { readFlags } from './flags.ts'
import { refusedByCompiler } from './mutation/compiler.ts'
import { isUnnoticed, lineOf, scoreOf, tableOf } from './mutation/score.ts'

/** Of a hundred mutants, so many must be noticed. */
const SCORE_MIN = 85
const PACKAGES = ['protocol', 'policy'] as const

type Package = (typeof PACKAGES)[number]

const { values, refuse } = readFlags(
  'npm run mutate -- [--package protocol|policy] [--only GLOB]... [--show] [--json FILE]',
  {
    package: { type: 'string' },
    only: { type: 'string', multiple: true },
    show: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
)
if (values.package !== undefined && !PACKAGES.some(name => name === values.package)) {
  refuse(`--package ${values.package}: there are ${PACKAGES.join(' and ')}`)
}
const chosen = PACKAGES.filter(name => isWanted(name))
const stray = values.only?.find(glob => !chosen.some(name => glob.startsWith(`packages/${name}/`)))
if (stray !== undefined) {
  refuse(`--only ${stray}: expected sources of ${PACKAGES.map(name => `packages/${name}/`).join(' or ')}`)
}

// Random policies are as many as `npm test` draws, or this share of them.
process.env['POLICY_SHARE'] ??= '0.2'

let isGood = true
const found: MutantResult[] = []
for (const name of chosen) {
  const mutants: MutantResult[] = []
  for (const globs of runsOf(name)) {
    mutants.push(...(await new Stryker(optionsOf(name, globs)).runMutationTest()))
    process.stdout.write(`\n${tableOf(mutants)}\n`)
  }
  if (mutants.length === 0) {
    // A hundred per cent of nothing would be no proof.
    process.stderr.write(`mutate: nothing to change in ${values.only?.join(', ') ?? name}\n`)
    process.exit(66)
  }
  found.push(...mutants)
  if (values.show) show(name, mutants.filter(isUnnoticed))
  isGood &&= scoreOf(mutants).percent >= SCORE_MIN
}
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(found, undefined, 1))
process.exitCode = isGood ? 0 : 1

function isWanted(name: Package): boolean {
  if (values.only !== undefined) return values.only.some(glob => glob.startsWith(`packages/${name}/`))
  return values.package === undefined || values.package === name
}

function show(name: Package, mutants: readonly MutantResult[]): void {
  const refused = refusedByCompiler(name, mutants)
  const lines = [
    ...mutants.filter(one => !refused.has(one)).map(lineOf),
    ...mutants.filter(one => refused.has(one)).map(one => `${lineOf(one)}  (does not compile)`),
  ]
  process.stdout.write(`\n${lines.join('\n')}\n\nthe compiler refuses ${refused.size} of ${mutants.length}\n`)
}

/** A package goes folder by folder: code that counts how often it is reached takes several times as long, so little of it must. */
function runsOf(name: Package): readonly (readonly string[])[] {
  if (values.only !== undefined) return [values.only.filter(glob => glob.startsWith(`packages/${name}/`))]
  const folders = new Set(globSync(`packages/${name}/src/**/*.ts`).map(file => dirname(file)))
  return [...folders].toSorted().map(folder => [`${folder}/*.ts`])
}

function optionsOf(name: Package, globs: readonly string[]): PartialStrykerOptions {
  return {
    mutate: [...globs],
    // Stryker works on a copy of these, beside the sources, so that imports of other packages are found as always.
    ignorePatterns: ['/*', '!/packages', '/packages/*', `!/packages/${name}`, 'dist'],
    plugins: ['test-runner', 'texts-for-people'].map(file => new URL(`mutation/${file}.ts`, import.meta.url).href),
    ignorers: ['texts-for-people'],
    testRunner: 'in-process',
    testFilePattern: `packages/${name}/test/**/*.test.ts`,
    testRunnerNodeArgs: ['--conditions=@socksmith/source'],
    coverageAnalysis: 'perTest',
    concurrency: 2,
    // TypeScript 7 has no interface for the step that would read one.
    tsconfigFile: 'none.json',
    reporters: ['progress-append-only'],
    allowEmpty: true,
    allowConsoleColors: false,
    // A mutant that loops for ever is noticed by its counted hits; this is for one that waits for ever.
    timeoutMS: 4_000,
    warnings: { preprocessorErrors: true, slow: false, unknownOptions: false, unserializableOptions: true },
  }
}

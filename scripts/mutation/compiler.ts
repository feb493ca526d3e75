/**
 * Which mutants the compiler refuses: a change that nobody can make unseen, whatever the tests say. Works on a copy of the
 * sources of one package. Knows nothing of tests.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import type { MutantResult } from '@stryker-mutator/api/core'

/** What is left over by a change, such as an import, is no reason to refuse it. */
const CONFIG = {
  extends: resolve('tsconfig.base.json'),
  compilerOptions: {
    lib: ['es2024'],
    types: [],
    composite: false,
    noEmit: true,
    noUnusedLocals: false,
    noUnusedParameters: false,
  },
  include: ['src'],
}

/** Those of the mutants of a package that do not compile; half a second for each. */
export function refusedByCompiler(name: string, mutants: readonly MutantResult[]): ReadonlySet<MutantResult> {
  const folder = mkdtempSync(join(tmpdir(), 'mutants-'))
  try {
    const root = resolve('packages', name)
    cpSync(join(root, 'src'), join(folder, 'src'), { recursive: true })
    cpSync(join(root, 'package.json'), join(folder, 'package.json'))
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(CONFIG))
    if (!compiles(folder)) throw new Error(`the sources of ${name} do not compile as they are`)
    return new Set(
      mutants.filter(mutant => {
        const source = readFileSync(mutant.fileName, 'utf8')
        const copy = join(folder, relative(root, mutant.fileName))
        writeFileSync(copy, changed(source, mutant))
        const isRefused = !compiles(folder)
        writeFileSync(copy, source)
        return isRefused
      }),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function compiles(folder: string): boolean {
  return spawnSync(resolve('node_modules/.bin/tsc'), ['-p', folder]).status === 0
}

function changed(source: string, { location: { start, end }, replacement }: MutantResult): string {
  const lines = source.split('\n')
  const offsetOf = ({ line, column }: typeof start): number =>
    lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0) + column - 1
  return source.slice(0, offsetOf(start)) + replacement + source.slice(offsetOf(end))
}

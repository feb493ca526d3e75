/**
 * A test runner of Stryker for `node:test`, in one process: the files of tests are loaded once, and for each mutant only the
 * tests that reach it are called, quickest first, until one fails. It is about thirty times as fast as one process for each
 * file, which is what Stryker's own runners for `node:test` take. Stryker starts a new process for a mutant of code that
 * runs while a module loads.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { INSTRUMENTER_CONSTANTS, type InstrumenterContext, type StrykerOptions } from '@stryker-mutator/api/core'
import { PluginKind, commonTokens, declareClassPlugin, tokens } from '@stryker-mutator/api/plugin'
import {
  type DryRunResult,
  DryRunStatus,
  type MutantRunOptions,
  type MutantRunResult,
  type TestResult,
  type TestRunner,
  type TestRunnerCapabilities,
  TestStatus,
  determineHitLimitReached,
  toMutantRunResult,
} from '@stryker-mutator/api/test-runner'
import { type CollectedTest, collected, startFile } from './collected-tests.ts'

const STAND_INS: Readonly<Record<string, string>> = {
  'node:test': new URL('collected-tests.ts', import.meta.url).href,
  'fast-check': new URL('fewer-runs.ts', import.meta.url).href,
}

/** In the copy that Stryker works on: written by the run without a mutant. */
const TIMES_FILE = 'test-times.json'

/** What instrumented sources read and count. They keep the object itself: its fields change, never it. */
const state = ((globalThis as Record<string, unknown>)[INSTRUMENTER_CONSTANTS.NAMESPACE] ??= {}) as InstrumenterContext

class InProcessRunner implements TestRunner {
  static readonly inject = tokens(commonTokens.options)
  readonly #pattern: string
  /** Milliseconds by test. */
  #slowness: ReadonlyMap<string, number> = new Map()
  #isLoaded = false

  constructor(options: StrykerOptions) {
    this.#pattern = String(options['testFilePattern'])
  }

  capabilities(): TestRunnerCapabilities {
    return { reloadEnvironment: false }
  }

  async dryRun(): Promise<DryRunResult> {
    await this.#load()
    const tests: TestResult[] = []
    for (const test of collected) {
      state.currentTestId = test.id
      const result = await runTest(test)
      tests.push(result)
    }
    delete state.currentTestId
    writeFileSync(TIMES_FILE, JSON.stringify(tests.map(({ id, timeSpentMs }) => [id, timeSpentMs])))
    const mutantCoverage = state.mutantCoverage ?? { static: {}, perTest: {} }
    return { status: DryRunStatus.Complete, tests, mutantCoverage }
  }

  async mutantRun(options: MutantRunOptions): Promise<MutantRunResult> {
    if (options.mutantActivation === 'static') state.activeMutant = options.activeMutant.id
    try {
      await this.#load()
    } catch (error) {
      // The mutant broke the loading itself: every test would fail.
      return toMutantRunResult({ status: DryRunStatus.Complete, tests: [failed('(loading)', 0, error)] })
    }
    state.activeMutant = options.activeMutant.id
    state.hitCount = 0
    // Stryker's limit leaves room for the shrinking of a failed property, which is off here.
    if (options.hitLimit === undefined) delete state.hitLimit
    else state.hitLimit = Math.ceil(options.hitLimit / 5)
    const wanted = options.testFilter === undefined ? undefined : new Set(options.testFilter)
    const tests: TestResult[] = []
    for (const test of this.#quickestFirst(wanted)) {
      const result = await runTest(test)
      const hitLimitReached = determineHitLimitReached(state.hitCount, state.hitLimit)
      if (hitLimitReached !== undefined) return toMutantRunResult(hitLimitReached)
      tests.push(result)
      if (result.status === TestStatus.Failed) break
    }
    return toMutantRunResult({ status: DryRunStatus.Complete, tests })
  }

  #quickestFirst(wanted: ReadonlySet<string> | undefined): readonly CollectedTest[] {
    const chosen = collected.filter(({ id }) => wanted === undefined || wanted.has(id))
    if (this.#slowness.size === 0) this.#slowness = new Map(JSON.parse(readFileSync(TIMES_FILE, 'utf8')))
    return chosen.toSorted((a, b) => (this.#slowness.get(a.id) ?? 0) - (this.#slowness.get(b.id) ?? 0))
  }

  async #load(): Promise<void> {
    if (this.#isLoaded) return
    registerHooks({
      resolve(specifier, context, next) {
        const standIn = STAND_INS[specifier]
        const isOwn = context.parentURL === undefined || Object.values(STAND_INS).includes(context.parentURL)
        return standIn === undefined || isOwn ? next(specifier, context) : next(standIn, context)
      },
    })
    for (const file of globSync(this.#pattern).toSorted()) {
      startFile(file)
      await import(pathToFileURL(resolve(file)).href)
    }
    this.#isLoaded = true
  }
}

async function runTest(test: CollectedTest): Promise<TestResult> {
  const startMs = performance.now()
  try {
    await test.body()
    const timeSpentMs = performance.now() - startMs
    return { id: test.id, name: test.id, fileName: test.file, timeSpentMs, status: TestStatus.Success }
  } catch (error) {
    return failed(test.id, performance.now() - startMs, error)
  }
}

function failed(id: string, timeSpentMs: number, error: unknown): TestResult {
  const failureMessage = error instanceof Error ? error.message : String(error)
  return { id, name: id, timeSpentMs, status: TestStatus.Failed, failureMessage }
}

export const strykerPlugins: readonly unknown[] = [
  declareClassPlugin(PluginKind.TestRunner, 'in-process', InProcessRunner),
]

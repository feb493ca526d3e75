/**
 * Stands in for `node:test` while mutants are tried: it keeps the tests that a file declares, so that the runner can call
 * them again and again in one process. It knows what our tests use, `test` and `suite`, and nothing else.
 */
export interface CollectedTest {
  /** The file, the suites and the test: no two tests have the same. */
  readonly id: string
  readonly file: string
  readonly body: () => unknown
}

export const collected: CollectedTest[] = []

const suites: string[] = []
let file = ''

/** Names the file whose tests are declared next. */
export function startFile(name: string): void {
  file = name
}

export function suite(name: string, body: () => void): void {
  suites.push(name)
  body()
  suites.pop()
}

export function test(name: string, body: () => unknown): void {
  const id = [file, ...suites, name].join(' > ')
  const same = collected.filter(one => one.id === id || one.id.startsWith(`${id} #`)).length
  collected.push({ id: same === 0 ? id : `${id} #${same + 1}`, file, body })
}

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'

const SPARE_MEMORY = new URL('../../src/linux/spare-memory.ts', import.meta.url).href

/** Hashes twelve passwords in the four threads of libuv; prints by how many MiB the process has grown. */
const HASHES = `
  import { argon2, randomBytes } from 'node:crypto'
  import { readFileSync } from 'node:fs'
  import { promisify } from 'node:util'
  import { keepNoLargeBlocks } from '${SPARE_MEMORY}'

  const isKept = process.argv[1] === 'kept'
  const isSet = isKept || keepNoLargeBlocks()
  const pssKib = () => Number(/^Pss:\\s+(\\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))[1])
  const cost = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 }
  const before = pssKib()
  for (let round = 0; round < 3; round++) {
    await Promise.all([1, 2, 3, 4].map(() =>
      promisify(argon2)('argon2id', { message: randomBytes(8), nonce: randomBytes(16), ...cost })))
  }
  console.log(isSet ? (pssKib() - before) / 1_024 : 'not set')
`

function grownMib(...args: readonly string[]): number {
  const flags = ['--conditions=@socksmith/source', '--input-type=module', '--eval', HASHES]
  return Number(execFileSync(process.execPath, [...flags, ...args], { encoding: 'utf8' }))
}

const elsewhere = process.platform === 'linux' ? false : 'only the GNU C library has it'

test('a large block goes back to the kernel: nothing is left of the hashes of passwords', { skip: elsewhere }, () => {
  assert.ok(grownMib('kept') > 60, 'of itself the C library keeps them')
  const grown = grownMib()
  assert.ok(grown < 15, `${grown} MiB are left`)
})

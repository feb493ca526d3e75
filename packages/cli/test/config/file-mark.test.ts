import assert from 'node:assert/strict'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { awaitedFileMark, fileMark, settledMark } from '../../src/config/file-mark.ts'
import { temporaryFolder } from '../run-command.ts'

test('another text, another file and no file have other marks; the same file has the same', async t => {
  const file = join(await temporaryFolder(t), 'users.txt')
  const marks = new Set([fileMark(file)])
  await writeFile(file, 'a')
  marks
    .add(fileMark(file))
    .add(fileMark(file))
    .add(await awaitedFileMark(file))
  await writeFile(file, 'ab')
  marks.add(await awaitedFileMark(file))
  await writeFile(`${file}.new`, 'ab')
  await rename(`${file}.new`, file)
  marks.add(fileMark(file))
  assert.equal(marks.size, 4)
})

const SETTLING: readonly { readonly name: string; readonly marks: string; readonly settled: string }[] = [
  { name: 'a file at rest is looked at twice', marks: 'aa', settled: 'a' },
  { name: 'a file being written is looked at until it rests', marks: 'abb', settled: 'b' },
  { name: 'a file that never rests is taken as it is', marks: 'abcd', settled: 'd' },
]

for (const { name, marks, settled } of SETTLING) {
  test(name, async () => {
    const looks: string[] = []
    const mark = await settledMark(
      () => {
        const now = marks[looks.length] ?? 'a look too many'
        looks.push(now)
        return now
      },
      () => Promise.resolve(),
    )
    assert.deepEqual([mark, looks.join('')], [settled, marks])
  })
}

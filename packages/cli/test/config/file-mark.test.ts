import assert from 'node:assert/strict'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { awaitedFileMark, fileMark, untilWritten } from '../../src/config/file-mark.ts'
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

const LOOKS_MAX = 10

/** What is written to the file while it is waited for, pause by pause; and how many pauses that takes. */
const WRITING: readonly { readonly name: string; readonly texts: readonly string[]; readonly pauses: number }[] = [
  { name: 'a file at rest is looked at twice', texts: ['a'], pauses: 1 },
  { name: 'a file being written is looked at until it rests', texts: ['a', 'ab', 'abc'], pauses: 3 },
  { name: 'an empty file is waited for until something stands in it', texts: ['', '', '', 'a'], pauses: 4 },
  { name: 'a file that stays empty is taken as it is', texts: [''], pauses: LOOKS_MAX - 1 },
  {
    name: 'a file that never rests is taken as it is',
    texts: Array<string>(LOOKS_MAX + 2).fill('a'),
    pauses: LOOKS_MAX - 1,
  },
]

for (const { name, texts, pauses } of WRITING) {
  test(name, async t => {
    const file = join(await temporaryFolder(t), 'users.txt')
    let [count, written] = [0, '']
    const write = async (): Promise<void> => {
      written += texts[count] ?? ''
      if (count < texts.length) await writeFile(file, written)
    }
    await write()
    await untilWritten([file], async () => {
      count++
      await write()
    })
    assert.equal(count, pauses)
  })
}

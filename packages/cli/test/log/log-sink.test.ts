import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type LogSink, openFileSink } from '../../src/log/log-sink.ts'
import { LogWriter } from '../../src/log/log-writer.ts'
import { temporaryFolder } from '../run-command.ts'
import { onSmallDisk } from '../small-disk.ts'

const dropped = (count: number): string => `dropped ${count}`

test('a named pipe that nobody reads is refused, and one whose reader is stuck does not block', async t => {
  const path = join(await temporaryFolder(t), 'pipe')
  execFileSync('mkfifo', [path])
  await assert.rejects(openFileSink(path), { code: 'ENXIO' })
  // The reader opens the pipe, says so, and never reads.
  const reader = spawn('sh', ['-c', 'exec 3<"$0"; echo open; read -r _', path])
  t.after(() => reader.kill('SIGKILL'))
  const opened = once(reader.stdout, 'data')
  let sink: LogSink | undefined
  while (sink === undefined) {
    await new Promise(resolve => setImmediate(resolve))
    sink = await openFileSink(path).catch(() => undefined)
  }
  await opened
  const writer = new LogWriter(sink, dropped)
  for (let i = 0; i < 2_000; i++) writer.line('y'.repeat(1_000))
  await writer.close()
})

test('a file is appended to', async t => {
  const path = join(await temporaryFolder(t), 'log')
  for (const line of ['one', 'two']) {
    const writer = new LogWriter(await openFileSink(path), dropped)
    writer.line(line)
    await writer.close()
  }
  assert.equal(await readFile(path, 'utf8'), 'one\ntwo\n')
})

test('a file knows whether its name still leads to it', async t => {
  const path = join(await temporaryFolder(t), 'log')
  const sink = await openFileSink(path)
  assert.equal(await sink.isNamed(), true)
  await rename(path, `${path}.1`)
  assert.equal(await sink.isNamed(), false)
  await writeFile(path, '')
  assert.equal(await sink.isNamed(), false)
  await rename(`${path}.1`, path)
  assert.equal(await sink.isNamed(), true)
  await sink.close()
})

test('a disk that fills up cuts no line, and the sink says how many octets stand', async t => {
  const stdout = await onSmallDisk(t, '16k', new URL('on-full-disk.ts', import.meta.url))
  if (stdout === undefined) return
  const { taken, text } = JSON.parse(stdout) as { readonly taken: readonly number[]; readonly text: string }
  const [first = 0, second, third] = taken
  assert.ok(first > 0 && first < 20_000 && first % 100 === 0, `${first}`)
  assert.deepEqual([second, third], [0, 20])
  const lines = text.split('\n').slice(0, -1)
  assert.deepEqual([...new Set(lines)], ['x'.repeat(99), 'there is room again'])
  assert.equal(lines.length, first / 100 + 1)
})

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type LogSink, LogWriter, openFileSink } from '../../src/log/log-writer.ts'
import { LAUNCHER, temporaryFolder } from '../run-command.ts'

const dropped = (count: number): string => `dropped ${count}`

/** A sink whose writes are answered by the test. */
function heldSink(): LogSink & {
  readonly writes: { text: string; take(): void; fail(): void }[]
  readonly closed: Promise<void>
  next(): Promise<void>
} {
  const writes: { text: string; take(): void; fail(): void }[] = []
  let wake: (() => void) | undefined
  const { promise: closed, resolve: onClose } = Promise.withResolvers<void>()
  return {
    writes,
    closed,
    write: octets =>
      new Promise((resolve, reject) => {
        writes.push({ text: octets.toString(), take: resolve, fail: () => reject(new Error('ENOSPC')) })
        wake?.()
      }),
    close: async () => onClose(),
    next: () => new Promise(resolve => (wake = resolve)),
  }
}

test('lines of one moment are one write, and later ones wait for it', async () => {
  const sink = heldSink()
  const writer = new LogWriter(sink, dropped)
  const first = sink.next()
  writer.line('a')
  writer.line('b')
  await first
  writer.line('c')
  assert.deepEqual(
    sink.writes.map(write => write.text),
    ['a\nb\n'],
  )
  const second = sink.next()
  sink.writes[0]?.take()
  await second
  assert.equal(sink.writes[1]?.text, 'c\n')
  sink.writes[1]?.take()
  await writer.close()
})

test('a stuck sink costs bounded memory: lines beyond it are dropped, counted and told when it goes on', async () => {
  const sink = heldSink()
  const writer = new LogWriter(sink, dropped)
  const first = sink.next()
  writer.line('first')
  await first
  const line = 'x'.repeat(1_023)
  for (let i = 0; i < 5_000; i++) writer.line(line)
  let text = ''
  for (let i = 0; !text.includes('dropped'); i++) {
    const next = sink.next()
    sink.writes[i]?.take()
    await next
    text = sink.writes[i + 1]?.text ?? ''
  }
  assert.match(text, /dropped 904\n$/)
  assert.equal(
    sink.writes
      .slice(1)
      .flatMap(write => write.text.split('\n'))
      .filter(one => one === line).length,
    4_096,
  )
})

test('a sink that fails loses its lines, which are counted, and is used again', async () => {
  const sink = heldSink()
  const writer = new LogWriter(sink, dropped)
  const first = sink.next()
  writer.line('lost')
  await first
  const second = sink.next()
  sink.writes[0]?.fail()
  writer.line('kept')
  await second
  assert.equal(sink.writes[1]?.text, 'kept\n')
  const third = sink.next()
  sink.writes[1]?.take()
  await third
  assert.equal(sink.writes[2]?.text, 'dropped 1\n')
})

test('another sink takes the next batch; the one before is closed when its last write is over', async () => {
  const [before, after] = [heldSink(), heldSink()]
  const writer = new LogWriter(before, dropped)
  const first = before.next()
  writer.line('a')
  await first
  writer.line('b')
  writer.use(after)
  let isClosed = false
  const closed = before.closed.then(() => (isClosed = true))
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(isClosed, false)
  const second = after.next()
  before.writes[0]?.take()
  await Promise.all([second, closed])
  assert.equal(after.writes[0]?.text, 'b\n')
  assert.equal(before.writes.length, 1)
})

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

test('a server whose log reader is gone goes on, and ends in order', async t => {
  const child = spawn(process.execPath, [LAUNCHER, 'serve', '--listen', '127.0.0.1:0'])
  t.after(() => child.kill('SIGKILL'))
  child.stdout.destroy()
  await once(child.stderr, 'data')
  child.kill('SIGTERM')
  const [code] = (await once(child, 'exit')) as [number]
  assert.equal(code, 0)
})

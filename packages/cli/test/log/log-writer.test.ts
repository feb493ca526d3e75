import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import type { LogSink } from '../../src/log/log-sink.ts'
import { LogWriter } from '../../src/log/log-writer.ts'
import { LAUNCHER } from '../run-command.ts'

const dropped = (count: number): string => `dropped ${count}`

/** A sink whose writes are answered by the test. */
function heldSink(): LogSink & {
  readonly writes: { text: string; take(octets?: number): void }[]
  readonly closed: Promise<void>
  next(): Promise<void>
} {
  const writes: { text: string; take(octets?: number): void }[] = []
  let wake: (() => void) | undefined
  const { promise: closed, resolve: onClose } = Promise.withResolvers<void>()
  return {
    writes,
    closed,
    write: octets =>
      new Promise(resolve => {
        writes.push({ text: octets.toString(), take: (taken = octets.length) => resolve(taken) })
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
  sink.writes[0]?.take(0)
  writer.line('kept')
  await second
  assert.equal(sink.writes[1]?.text, 'kept\n')
  const third = sink.next()
  sink.writes[1]?.take()
  await third
  assert.equal(sink.writes[2]?.text, 'dropped 1\n')
})

test('of a write that fails on its way the lines that stand are not counted as lost, and a count that was not taken is kept', async () => {
  const sink = heldSink()
  const writer = new LogWriter(sink, dropped)
  const said = async (take: number | undefined, ...lines: readonly string[]): Promise<string | undefined> => {
    const next = sink.next()
    for (const line of lines) writer.line(line)
    sink.writes.at(-1)?.take(take)
    await next
    return sink.writes.at(-1)?.text
  }
  assert.equal(await said(0, 'stands', 'lost', 'lost too'), 'stands\nlost\nlost too\n')
  assert.equal(await said(7, 'whole'), 'whole\n')
  assert.equal(await said(undefined), 'dropped 2\n')
  assert.equal(await said(0, 'again'), 'again\n')
  assert.equal(await said(undefined), 'dropped 2\n')
  sink.writes.at(-1)?.take()
  await writer.close()
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

test('a server whose log reader is gone goes on, and ends in order', async t => {
  const child = spawn(process.execPath, [LAUNCHER, 'serve', '--listen', '127.0.0.1:0'])
  t.after(() => child.kill('SIGKILL'))
  child.stdout.destroy()
  await once(child.stderr, 'data')
  child.kill('SIGTERM')
  const [code] = (await once(child, 'exit')) as [number]
  assert.equal(code, 0)
})

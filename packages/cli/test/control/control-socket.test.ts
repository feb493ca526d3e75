/** Whoever opens the control socket and asks nothing takes little, and not for long. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { askControl, openControl } from '../../src/control/control-socket.ts'
import { temporaryFolder } from '../run-command.ts'
import { whenClosed } from '../socks-client.ts'

async function opened(t: TestContext, questionMs?: number): Promise<string> {
  const path = join(await temporaryFolder(t), 'control.sock')
  const control = await openControl(path, question => Promise.resolve({ ok: true, message: question.ask }), questionMs)
  assert.ok(control.ok)
  t.after(() => control.value.close())
  return path
}

function connected(t: TestContext, path: string): Socket {
  const socket = connect(path)
  t.after(() => socket.destroy())
  return socket.on('error', () => {}).resume()
}

test('who asks octet by octet is closed at the limit, which counts from the beginning', async t => {
  const path = await opened(t, 300)
  const socket = connected(t, path)
  socket.write(' ')
  const timer = setInterval(() => socket.write(' '), 1)
  t.after(() => clearInterval(timer))
  await whenClosed(socket)
  assert.ok(socket.bytesWritten > 1)
})

test('of many who say nothing 64 are kept; the next is closed at once, and served when they have left', async t => {
  const path = await opened(t)
  const silent = Array.from({ length: 64 }, () => connected(t, path))
  await Promise.all(silent.map(socket => once(socket, 'connect')))
  await whenClosed(connected(t, path))
  const gone = silent.map(whenClosed)
  for (const socket of silent) socket.destroy()
  await Promise.all(gone)
  // The server hears of each in its own time.
  let answer = await askControl(path, { ask: 'bans' })
  while (!answer.ok) answer = await askControl(path, { ask: 'bans' })
  assert.equal(answer.value.message, 'bans')
})

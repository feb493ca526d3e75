/** Targets that die in mid-stream: a process that is killed, and what the client and the log hear of it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { PYTHON } from './program.ts'
import { type Proxy, startProxy } from './server.ts'

// It accepts, says how, and never reads: what is sent to it stays unread in its kernel.
const DEAF_TARGET = `
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
held = [listener.accept()[0] for _ in range(8)]
for one in held: one.sendall(b"held")
time.sleep(600)
`

// More than is ever written at once: it stands here because nobody takes it.
const BACKLOG_OCTETS = 1_048_576

async function tunnelTo(proxy: Proxy, port: number): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(Buffer.from([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 0xff]))
  return socket
}

test('a target that is killed with -9 in mid-stream: its clients get RST, and the records say so', async (t: TestContext) => {
  const proxy = await startProxy(t)
  const target = spawn(PYTHON, ['-c', DEAF_TARGET], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => target.kill('SIGKILL'))
  const [line] = (await once(target.stdout, 'data')) as [Buffer]
  const port = Number(line.toString())
  const clients = await Promise.all(Array.from({ length: 8 }, () => tunnelTo(proxy, port)))
  const errors = clients.map(socket => once(socket, 'error') as Promise<[NodeJS.ErrnoException]>)
  // Two replies, and the word of the target: from now on all are held by it.
  await Promise.all(clients.map(socket => received(socket, 2 + 10 + 4)))
  const stream = setInterval(() => {
    for (const one of clients) if (one.writable && !isFull(one)) one.write(Buffer.alloc(65_536))
    // Every buffer on the way is full: the kill meets a stream.
    if (clients.every(isFull)) target.kill('SIGKILL')
  }, 1)
  t.after(() => clearInterval(stream))
  for (const [error] of await Promise.all(errors)) assert.match(String(error.code), /ECONNRESET|EPIPE/)
  clearInterval(stream)
  const sessions = await proxy.sessions()
  assert.deepEqual(
    sessions.map(session => session.end),
    Array.from({ length: 8 }, () => 'target-reset'),
  )
  assert.ok(sessions.every(session => session.up_octets > 65_536))
})

function isFull(socket: Socket): boolean {
  return socket.writableLength > BACKLOG_OCTETS
}

async function received(socket: Socket, count: number): Promise<void> {
  let missing = count
  while (missing > 0) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    missing -= chunk.length
  }
}

/** The command where the system gives too little: descriptors, room for the log, answers to names. Others go on. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { constants, closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { LAUNCHER, serve, temporaryFolder } from '../run-command.ts'
import { type OctetStream, connectPlainly, echo, open } from '../socks-client.ts'

/** Both engines; the Linux one with workers. */
const ENGINES = [
  ['--engine', 'node'],
  ['--engine', 'auto', '--workers', '2'],
] as const

async function isEchoed(stream: OctetStream): Promise<boolean> {
  stream.socket.write('ping')
  return (await stream.take(4)).toString() === 'ping'
}

/** Opens so many tunnels, one after the other, each of which must be served. */
async function allServed(t: TestContext, proxy: number, target: number, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const stream = await open(t, proxy)
    assert.equal(await connectPlainly(stream, target), 0)
    assert.ok(await isEchoed(stream))
    stream.socket.destroy()
  }
}

/** Whether a newcomer has a tunnel. */
async function isServed(t: TestContext, proxy: number, target: number): Promise<boolean> {
  try {
    const stream = await open(t, proxy)
    const rep = await connectPlainly(stream, target)
    stream.socket.destroy()
    return rep === 0
  } catch {
    return false
  }
}

/** A port that takes questions and answers none; resolves `asked` when so many have come. */
async function silentNames(t: TestContext, count: number): Promise<{ at: string; asked: Promise<void> }> {
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  const { promise: asked, resolve } = Promise.withResolvers<void>()
  let questions = 0
  socket.on('message', () => ++questions >= count && resolve())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { at: `127.0.0.1:${socket.address().port}`, asked }
}

for (const engine of ENGINES) {
  const on = engine.join(' ')

  test(`names that nobody answers do not delay a tunnel to an address: ${on}`, async t => {
    const names = await silentNames(t, 100)
    const server = await serve(t, ['--listen', '127.0.0.1:0', '--dns-servers', names.at, ...engine])
    const target = await echo(t)
    const stuck = await Promise.all(
      Array.from({ length: 300 }, async (_, index) => {
        const stream = await open(t, server.port)
        const name = `stuck${index}.example`
        stream.socket.write(Buffer.of(5, 1, 0, 5, 1, 0, 3, name.length, ...Buffer.from(name), 0, 80))
        return stream
      }),
    )
    await names.asked
    await allServed(t, server.port, target, 1)
    // Had it waited behind them, all of them would have been given up before.
    assert.ok(stuck.some(({ socket }) => !socket.closed))
    await allServed(t, server.port, target, 20)
  })

  test(`a log that cannot be written harms no tunnel, and the end is in order: ${on}`, async t => {
    const server = await serve(t, ['--listen', '127.0.0.1:0', '--log-file', '/dev/full', ...engine])
    await allServed(t, server.port, await echo(t), 100)
    assert.equal(await server.end(), 0, server.stderr())
  })

  test(`a log whose pipe nobody reads harms no tunnel, and the end is in order: ${on}`, async t => {
    const pipe = join(await temporaryFolder(t), 'pipe')
    execFileSync('mkfifo', [pipe])
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
    t.after(() => closeSync(reader))
    const server = await serve(t, ['--listen', '127.0.0.1:0', '--log-file', pipe, '--log-format', 'json', ...engine])
    // A pipe takes 64 KiB, which are about 200 lines.
    await allServed(t, server.port, await echo(t), 400)
    assert.equal(await server.end(), 0, server.stderr())
  })

  test(`a server that may open few descriptors keeps what it has, and serves again: ${on}`, async t => {
    const args = [process.execPath, LAUNCHER, 'serve', '--listen', '127.0.0.1:0', '--log-file', '/dev/null', ...engine]
    const child = spawn('sh', ['-c', 'ulimit -n 256 && exec "$@"', 'sh', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    t.after(() => child.kill('SIGKILL'))
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    while (!said.includes('ready')) await once(child.stderr, 'data')
    const port = Number(/ on 127\.0\.0\.1:(\d+) /.exec(said)?.[1])
    const target = await echo(t)
    const held = await open(t, port)
    assert.equal(await connectPlainly(held, target), 0)
    // Far more than there are descriptors for; some are served, some closed, some wait in the kernel's queue.
    const crowd = await Promise.all(Array.from({ length: 400 }, () => open(t, port).catch(() => undefined)))
    for (const stream of crowd) if (stream !== undefined) void connectPlainly(stream, target).catch(() => {})
    assert.ok(await isEchoed(held), 'the tunnel that was there goes on')
    for (const stream of crowd) stream?.socket.destroy()
    while (!(await isServed(t, port, target)));
    assert.ok(await isEchoed(held))
    assert.equal(child.exitCode, null)
  })
}

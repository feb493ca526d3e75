/** Sockets that are handed over at the start, as systemd does it: by the address that a listener has. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { closeSharedListener, openSharedListener } from '@socksmith/engine'
import { formatPlace, parsePlace } from '../../src/config/place-text.ts'
import { inheritedDescriptors } from '../../src/serving/inherited-sockets.ts'
import { LAUNCHER, temporaryFolder } from '../run-command.ts'

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0438 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0
   1: 0100007F:0439 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0
`
const TCP6 = `  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0438 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0
`
const UNIX = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 4714 /run/socksmith.sock
`

function view(
  inodes: readonly number[],
  env: { readonly [name: string]: string },
): Parameters<typeof inheritedDescriptors>[1] {
  const files: { readonly [path: string]: string } = {
    '/proc/net/tcp': TCP,
    '/proc/net/tcp6': TCP6,
    '/proc/net/unix': UNIX,
  }
  return {
    env: { LISTEN_FDS: String(inodes.length), LISTEN_PID: '77', ...env },
    pid: 77,
    read: path => files[path],
    readLink: path => `socket:[${inodes[Number(path.split('/').at(-1)) - 3]}]`,
  }
}

test('a listener takes over the socket with its address, however it is written', () => {
  const taken = inheritedDescriptors(
    ['unix:/run/socksmith.sock', '127.0.0.1:9', '[0:0::0]:1080', '127.0.0.1:1080'],
    view([4711, 4713, 4714], {}),
  )
  assert.deepEqual(taken, { ok: true, value: [5, undefined, 4, 3] })
})

test('variables that are meant for another process are nothing to us', () => {
  assert.deepEqual(inheritedDescriptors(['127.0.0.1:1080'], view([4711], { LISTEN_PID: '78' })), {
    ok: true,
    value: [undefined],
  })
})

for (const [inodes, env, message] of [
  [[4711], {}, /127\.0\.0\.1:1080 was handed over .* add --listen 127\.0\.0\.1:1080/],
  [[4712], {}, /descriptor 3 of LISTEN_FDS is no TCP or Unix socket that listens/],
  [[], { LISTEN_FDS: 'many' }, /LISTEN_FDS is "many"/],
] as const) {
  test(`what was handed over and cannot be served is a trouble: ${message.source}`, () => {
    const taken = inheritedDescriptors(['127.0.0.1:1'], view(inodes, env))
    assert.ok(!taken.ok)
    assert.match(taken.trouble.message, message)
  })
}

for (const flags of [
  ['--workers', '2'],
  ['--workers', '0'],
  ['--engine', 'node'],
]) {
  test(`nobody is refused while one server takes the place of another: ${flags.join(' ')}`, async t => {
    const { at, descriptor } = await listening(t, '127.0.0.1:0')
    const first = await startOn(t, descriptor, ['--listen', at, ...flags])
    assert.equal(await greeted(at), '0500')
    first.kill('SIGTERM')
    await once(first, 'close')
    // Nobody accepts now: it waits in the queue of the socket.
    const waiting = greeted(at)
    await startOn(t, descriptor, ['--listen', at, ...flags])
    assert.equal(await waiting, '0500')
  })
}

for (const workers of ['1', '0']) {
  test(`the file of a Unix socket that was handed over stays, with --workers ${workers}`, async t => {
    const { at, descriptor } = await listening(t, `unix:${join(await temporaryFolder(t), 'proxy.sock')}`)
    for (let time = 1; time <= 2; time++) {
      const child = await startOn(t, descriptor, ['--listen', at, '--workers', workers])
      assert.equal(await greeted(at), '0500')
      child.kill('SIGTERM')
      await once(child, 'close')
    }
  })
}

/** A socket that listens and that this process does not accept from. */
async function listening(t: TestContext, at: string): Promise<{ readonly at: string; readonly descriptor: number }> {
  const place = parsePlace(at)
  assert.ok(place !== undefined)
  const opened = await openSharedListener({ place, backlog: 16 }, 1)
  assert.ok('place' in opened)
  t.after(() => closeSharedListener(opened))
  return { at: formatPlace(opened.place), descriptor: opened.descriptors[0] as number }
}

/** The command with the socket as its descriptor 3; resolves once it is ready. */
async function startOn(t: TestContext, descriptor: number, flags: readonly string[]): Promise<ChildProcess> {
  // LISTEN_PID is the process that sh becomes.
  const script = 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
  const child = spawn('sh', ['-c', script, 'sh', process.execPath, LAUNCHER, 'serve', ...flags], {
    stdio: ['ignore', 'ignore', 'pipe', descriptor],
  })
  t.after(() => child.kill('SIGKILL'))
  let said = ''
  for await (const piece of child.stderr as NonNullable<typeof child.stderr>) {
    said += String(piece)
    if (said.includes('ready on')) break
  }
  assert.match(said, /ready on/)
  return child
}

/** The answer to a greeting without a password, as hexadecimal digits. */
async function greeted(at: string): Promise<string> {
  const place = parsePlace(at)
  assert.ok(place !== undefined)
  const socket = place.kind === 'unix' ? connect(place.path) : connect(place.endpoint.port, '127.0.0.1')
  socket.write(Uint8Array.of(5, 1, 0))
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return answer.toString('hex')
}

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { visible } from '../../src/terminal/visible.ts'
import { LAUNCHER, run, temporaryFolder } from '../run-command.ts'

// Only Linux's script(1) takes a command in this way.
const skip = process.platform === 'linux' ? false : 'needs the script command of util-linux'

interface Terminal {
  /** Everything on the screen up to the end. */
  readonly screen: Promise<string>
  readonly code: Promise<number | null>
  /** Types the keys once the screen shows the text, counted from what was typed last. */
  typeAfter(text: string, keys: string): Promise<void>
}

/** The command on a terminal of its own. */
function onTerminal(t: TestContext, args: readonly string[], env: NodeJS.ProcessEnv = {}): Terminal {
  const command = [process.execPath, LAUNCHER, ...args].map(word => `'${word}'`).join(' ')
  const child: ChildProcess = spawn('script', ['-qfec', command, '/dev/null'], {
    env: { ...process.env, TERM: 'xterm', NO_COLOR: '', ...env },
  })
  t.after(() => child.kill('SIGKILL'))
  const { stdin, stdout } = child
  assert.ok(stdin && stdout)
  let screen = ''
  let seen = 0
  stdout.on('data', (chunk: Buffer) => (screen += chunk.toString()))
  const closed = once(child, 'close') as Promise<[number | null]>
  return {
    screen: closed.then(() => screen),
    code: closed.then(([code]) => code),
    async typeAfter(text, keys) {
      while (!screen.slice(seen).includes(text)) await once(stdout, 'data')
      seen = screen.length
      stdin.write(keys)
    },
  }
}

test('a password is asked for twice and not shown; Backspace works', { skip }, async t => {
  const file = join(await temporaryFolder(t), 'users')
  const terminal = onTerminal(t, ['user', 'add', 'alice', '--users', file])
  await terminal.typeAfter('Password for alice: ', 'geheimX\u007f\r')
  await terminal.typeAfter('The same again: ', 'geheim\r')
  assert.equal(await terminal.code, 0)
  const screen = await terminal.screen
  assert.match(screen, /alice was added to/)
  assert.doesNotMatch(screen, /geh/)
})

test('connect on a terminal ends when the target has finished', { skip }, async t => {
  const server = createServer(socket => socket.end('all that I say')).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const terminal = onTerminal(t, ['connect', '--via', 'direct', '127.0.0.1', String(port)])
  assert.equal(await terminal.code, 0)
  assert.equal(await terminal.screen, 'all that I say')
})

test('two passwords that differ, and Ctrl-C, change nothing', { skip }, async t => {
  const file = join(await temporaryFolder(t), 'users')
  const differing = onTerminal(t, ['user', 'add', 'alice', '--users', file])
  await differing.typeAfter('Password for alice: ', 'a\r')
  await differing.typeAfter('The same again: ', 'b\r')
  assert.equal(await differing.code, 65)
  assert.match(await differing.screen, /the two passwords differ; nothing was changed/)
  const stopped = onTerminal(t, ['user', 'add', 'alice', '--users', file])
  await stopped.typeAfter('Password for alice: ', 'a\u0003')
  assert.equal(await stopped.code, 130)
  assert.equal((await run(['user', 'list', '--users', file])).code, 66)
})

test('colour is for terminals, and not with NO_COLOR', { skip }, async t => {
  assert.ok((await onTerminal(t, ['user', 'list']).screen).includes('\u001b['))
  assert.ok(!(await onTerminal(t, ['user', 'list'], { NO_COLOR: '1' }).screen).includes('\u001b['))
  assert.ok(!(await onTerminal(t, ['user', 'list'], { TERM: 'dumb' }).screen).includes('\u001b['))
  assert.ok(!(await run(['user', 'list'])).stderr.includes('\u001b['))
})

test('visible text has no control, format or separator characters', () => {
  assert.equal(
    visible('a\u001b[1m\n\u202e\u0085\u2028é 日本 ok'),
    'a\\u{1b}[1m\\u{a}\\u{202e}\\u{85}\\u{2028}é 日本 ok',
  )
})

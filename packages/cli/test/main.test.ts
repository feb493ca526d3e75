import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { LAUNCHER, run } from './run-command.ts'

test('help has examples and exit codes, and no colour when it is not on a terminal', async () => {
  for (const [args, words] of [
    [['--help'], ['Examples:', 'Exit codes:', 'serve']],
    [
      ['serve', '--help'],
      ['Examples:', '--listen', 'Where to listen:', 'handshake'],
    ],
    ...['connect', 'forward', 'accept', 'udp', 'resolve', 'fetch'].map(
      command =>
        [
          [command, '--help'],
          ['Examples:', 'Exit codes:', '--via', '--timeout', '--trace'],
        ] as const,
    ),
    [
      ['user', '--help'],
      ['Examples:', 'passwd'],
    ],
    [
      ['config', '--help'],
      ['Examples:', 'schema'],
    ],
  ] as const) {
    const { code, stdout } = await run(args)
    assert.equal(code, 0)
    for (const word of words) assert.ok(stdout.includes(word), `${args.join(' ')}: ${word}`)
    assert.ok(!stdout.includes('\u001b'))
  }
})

test('a reader that has gone, as in "socksmith serve --help | head", is no trouble', async () => {
  const words = [process.execPath, LAUNCHER, 'serve', '--help']
  const script = '"$@" | true; echo "${PIPESTATUS[0]}"'
  const { stdout, stderr } = await promisify(execFile)('bash', ['-c', script, 'bash', ...words])
  assert.deepEqual([stdout, stderr], ['0\n', ''])
})

test('a wrong command line is told with the nearest right word and exit code 64', async () => {
  for (const [args, meant] of [
    [['serv'], 'serve'],
    [['serve', '--lisen', '127.0.0.1:0'], '--listen'],
    [['serve', '--limit', 'handshak=1s'], 'handshake'],
    [['serve', '--log-format', 'jsno'], 'json'],
    [
      ['serve', '--protocols', 'socks4,sock5'],
      '--protocols sock5: expected socks4, socks5 or http; did you mean "socks5"?',
    ],
    [['serve', '--listen', 'localhost:1080'], '--listen localhost:1080: expected ADDRESS:PORT'],
    [['serve', '--tls-certificate', 'cert.pem'], '--tls-key is needed too'],
    [['serve', '--user', 'alice'], 'expected NAME:PASSWORD'],
    [[], 'Usage:'],
  ] as const) {
    const { code, stderr } = await run(args)
    assert.equal(code, 64, args.join(' '))
    assert.ok(stderr.includes(meant), stderr)
  }
})

test('a flag can say no to what the file says yes to', async () => {
  const { stdout } = await run(['config', 'show', '--no-udp-full-cone', '--udp-reassemble'])
  assert.match(stdout, /full-cone: false\n {2}reassemble: true/)
})

test('shell completions know commands, flags and their words', async () => {
  assert.match((await run(['completion', 'bash'])).stdout, /socksmith/)
  assert.match((await run(['complete', '--', 'serve', '--log-f'])).stdout, /^--log-format\t/)
  assert.match((await run(['complete', '--', 'serve', '--log-format', ''])).stdout, /^pretty\t/m)
  assert.match((await run(['complete', '--', 'us'])).stdout, /^user\t/)
})

test('a Node that is too old is told which one is needed, and how to get it', async () => {
  for (const [old, isTooOld] of [
    ['20.20.2', true],
    ['24.7.9', true],
    ['24.8.0', false],
    ['26.1.0', false],
  ] as const) {
    const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${old}' } })`
    const { code, stderr, stdout } = await run(['--version'], {
      nodeArgs: ['--import', `data:text/javascript,${pretend}`],
    })
    assert.equal(code, isTooOld ? 69 : 0)
    if (isTooOld)
      assert.match(
        stderr,
        new RegExp(`needs Node 24\\.8 or newer, and this is Node ${old.replaceAll('.', '\\.')}[^]*npm install`),
      )
    else assert.match(stdout, /^\d+\.\d+\.\d+\n$/)
  }
})

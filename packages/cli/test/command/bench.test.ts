import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type BenchReport, type Progress, runBench } from '@socksmith/instruments/bench'
import { benchOptions } from '../../src/command/bench-flags.ts'
import { run, serve } from '../run-command.ts'

const QUICK = ['--seconds', '0.1', '--rounds', '1']

async function report(args: readonly string[]): Promise<BenchReport> {
  const { code, stdout, stderr } = await run(['bench', ...args, ...QUICK, '--json'])
  assert.equal(code, 0, stderr)
  // Nothing but the report: no progress where nobody looks at a terminal.
  assert.equal(stderr, '')
  return JSON.parse(stdout) as BenchReport
}

test('every mode measures our own server, without the proxy and with it', async t => {
  const { port, child } = await serve(t, ['--listen', '127.0.0.1:0'])
  const { modes, ...rest } = await report([`socks5://127.0.0.1:${port}`, '--pid', String(child.pid)])
  assert.deepEqual(
    { ...rest, engine: '' },
    { proxy: `socks5://127.0.0.1:${port}`, engine: '', rounds: 1, seconds: 0.1, warmUpSeconds: 0.1 },
  )
  assert.deepEqual(
    modes.map(({ mode }) => mode),
    ['download', 'upload', 'open', 'roundtrip', 'udp'],
  )
  for (const mode of modes) {
    assert.ok(mode.kind === 'rate', JSON.stringify(mode))
    assert.ok(mode.direct.perSecond > 0 && mode.proxy.perSecond > 0, JSON.stringify(mode))
    assert.equal(mode.ratio, mode.proxy.perSecond / mode.direct.perSecond)
    assert.ok((mode.proxy.cpuSecondsPerUnit ?? -1) >= 0)
    assert.equal(mode.direct.cpuSecondsPerUnit, undefined)
    if (mode.mode === 'open' || mode.mode === 'roundtrip') {
      const { p50 = 0, p90 = 0, p99 = 0, p999 = 0, max = 0 } = mode.proxy.latencies ?? {}
      assert.ok(p50 > 0 && p50 <= p90 && p90 <= p99 && p99 <= p999 && p999 <= max, JSON.stringify(mode))
    }
  }
})

test('every protocol is spoken, and the target can be named to the proxy', async t => {
  const { port } = await serve(t, ['--listen', '127.0.0.1:0'])
  for (const scheme of ['socks4', 'socks4a', 'socks5h', 'http']) {
    const { modes } = await report([`${scheme}://127.0.0.1:${port}`, '--mode', 'open,roundtrip', '--streams', '2'])
    assert.deepEqual(
      modes.map(mode => mode.kind === 'rate' && mode.streams),
      [2, 2],
      scheme,
    )
  }
})

test('idle tunnels are held, answer at the end, and others work meanwhile; a stalled source rests', async t => {
  const { port, child } = await serve(t, ['--listen', '127.0.0.1:0'])
  const { modes } = await report([
    `socks5://127.0.0.1:${port}`,
    '--mode=idle,stall',
    '--streams=20',
    '--busy=3',
    '--hold=0',
    `--pid=${child.pid}`,
  ])
  const [idle, stall] = modes
  assert.ok(idle?.kind === 'hold' && stall?.kind === 'hold', JSON.stringify(modes))
  assert.deepEqual([idle.tunnels, idle.answered, idle.busy?.streams], [20, 20, 3])
  assert.ok((idle.busy?.tripsPerSecond ?? 0) > 0)
  assert.ok((idle.memory?.withOctets ?? 0) > 2 ** 20)
  assert.ok((stall.source?.octetsPerTunnel ?? 0) > 0)
  assert.equal(stall.source?.isPaused, true)
})

test('a server is loaded before each rate is taken, unless that is switched off', async t => {
  const { port } = await serve(t, ['--listen', '127.0.0.1:0'])
  const url = `socks5://127.0.0.1:${port}`
  for (const [warmUp, rounds] of [
    ['0.1', [0, 1]],
    ['0', [1]],
  ] as const) {
    const options = await benchOptions(url, { mode: ['open'], rounds: '1', seconds: '0.1', warmUp })
    assert.ok(options.ok)
    const seen: string[] = []
    const onProgress = (progress: Progress): void => {
      if (progress.kind === 'rate') seen.push(`${progress.way} ${progress.round}`)
    }
    const done = await runBench({ ...options.value, onProgress })
    assert.ok(!('code' in done) && done.warmUpSeconds === Number(warmUp))
    assert.deepEqual(
      [...new Set(seen)],
      rounds.flatMap(round => (round === 0 ? ['proxy 0'] : ['direct 1', 'proxy 1'])),
    )
  }
})

test('the table is for people: every mode with its unit, and no proxy beside it', async t => {
  const { port } = await serve(t, ['--listen', '127.0.0.1:0'])
  const { code, stdout } = await run(['bench', `socks5://127.0.0.1:${port}`, '--mode', 'download', ...QUICK])
  assert.equal(code, 0)
  assert.match(
    stdout,
    /^socks5:.*\n\n {10,}streams +a second +ratio\ndownload, MiB +1 +[\d,.]+ +\d+\.\d\d\n {2}no proxy +/,
  )
})

test('a proxy without UDP is measured in everything else; it is a trouble for somebody who asked for UDP', async t => {
  const { port } = await serve(t, ['--listen', '127.0.0.1:0', '--access-commands', 'connect'])
  const { modes } = await report([`socks5://127.0.0.1:${port}`])
  assert.equal(modes.filter(({ kind }) => kind === 'rate').length, 4)
  assert.ok(modes.at(-1)?.kind === 'failed')
  const asked = await run(['bench', `socks5://127.0.0.1:${port}`, '--mode', 'udp', ...QUICK])
  assert.equal(asked.code, 69)
  assert.equal(asked.stdout, '')
})

test('every flag in the documentation is a flag, and every flag is in the documentation', async () => {
  const page = await readFile(new URL('../../../../docs/bench.md', import.meta.url), 'utf8')
  const { stdout: help } = await run(['bench', '--help'])
  assert.deepEqual(flagsOf(page, '--limit', '--only', '--programs', '--short', '--write'), flagsOf(help, '--help'))
})

/** In alphabetical order, without those of other commands. */
function flagsOf(text: string, ...others: readonly string[]): readonly string[] {
  const flags = new Set([...text.matchAll(/(?<![\w-])--[a-z][a-z-]+/g)].map(([flag]) => flag))
  for (const other of others) flags.delete(other)
  return [...flags].toSorted()
}

test('a password is sent, and a wrong one is told and not shown', async t => {
  const { port } = await serve(t, ['--listen', '127.0.0.1:0', '--user', 'alice:right'])
  await report([`socks5://alice:right@127.0.0.1:${port}`, '--mode', 'open'])
  await report([`http://alice:right@127.0.0.1:${port}`, '--mode', 'open'])
  for (const [login, code, meant] of [
    ['alice:secret@', 65, 'refuses this user name and password'],
    ['', 65, 'wants to know who you are'],
  ] as const) {
    for (const scheme of ['socks5', 'http']) {
      const got = await run(['bench', `${scheme}://${login}127.0.0.1:${port}`, ...QUICK])
      assert.equal(got.code, code, scheme)
      assert.ok(got.stderr.includes(meant), got.stderr)
      assert.ok(!got.stderr.includes('secret') && got.stdout === '')
    }
  }
})

test('why a proxy cannot be loaded is told, with the way out', async t => {
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address() as AddressInfo
  closed.close()
  const ruled = await serve(t, ['--listen', '127.0.0.1:0', '--access-inside-from', '192.0.2.0/24'])
  const silent = await listen(t, socket => socket.on('error', () => undefined).end())
  for (const [args, code, meant] of [
    [[`socks5://127.0.0.1:${port}`], 69, 'ECONNREFUSED'],
    [[`socks5://127.0.0.1:${ruled.port}`], 69, 'its rules do not let this client reach the target'],
    [[`socks5://127.0.0.1:${silent}`], 69, 'hung up in the handshake'],
    [['socks5://192.0.2.1:1080'], 77, '--i-may-load-this'],
    [['socks5://192.0.2.1:1080', '--i-may-load-this'], 64, '--target-on'],
    [['ftp://127.0.0.1'], 64, 'expected socks4'],
    [['socks5://127.0.0.1', '--mode', 'fast'], 64, '--mode fast: there are download,'],
    [['socks5://127.0.0.1', '--streams', '0'], 64, '--streams 0: expected'],
    [['socks5://127.0.0.1', '--seconds', 'x'], 64, '--seconds x: expected'],
    [['socks5://127.0.0.1', '--datagram-octets', '4'], 64, '--datagram-octets 4: expected'],
    [['socks5://127.0.0.1', '--pid', '999999999'], 64, '--pid'],
    [['socks5://127.0.0.1', '--target-on', 'here'], 64, '--target-on here'],
    [[], 64, 'PROXY-URL'],
  ] as const) {
    const got = await run(['bench', ...args])
    assert.equal(got.code, code, `${args.join(' ')}: ${got.stderr}`)
    assert.ok(got.stderr.includes(meant), got.stderr)
  }
})

test('a proxy that changes what it carries has no figure', async t => {
  const { port: honest } = await serve(t, ['--listen', '127.0.0.1:0'])
  // After the handshake the last octet of each read is turned round.
  const port = await listen(t, client => {
    const onward = connect(honest, '127.0.0.1')
    let replies = 0
    client.pipe(onward)
    onward.on('data', (octets: Buffer) => {
      if (replies++ >= 2) octets[octets.length - 1] = (octets[octets.length - 1] as number) ^ 0xff
      client.write(octets)
    })
    for (const socket of [client, onward]) {
      socket.on('error', () => undefined)
      socket.on('close', () => (socket === client ? onward : client).destroy())
    }
  })
  for (const mode of ['roundtrip', 'download']) {
    const got = await run(['bench', `socks5://127.0.0.1:${port}`, '--mode', mode, ...QUICK])
    assert.equal(got.code, 69)
    assert.match(got.stderr, /changed/)
  }
})

async function listen(t: TestContext, serveOne: (socket: Socket) => void): Promise<number> {
  const server = createServer(serveOne).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

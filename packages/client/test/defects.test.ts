/**
 * The defects that were measured in other clients, one by one: none of them is here. Where another test has the case in
 * full, this one has its core, so that the list can be read.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { suite } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { SocksError, chain, connect, pool, routeFromEnvironment, toRoute } from '../src/index.ts'
import { type Act, rogueProxy } from './rogue/rogue-proxy.ts'
import { type Scene, everything, leakTest, rejection } from './scene.ts'

const octets = (...values: readonly number[]): Uint8Array => Uint8Array.from(values)
const GOOD = octets(5, 0, 0, 1, 0, 0, 0, 0, 0, 0)
const NO_PASSWORD: readonly Act[] = [{ await: 3 }, { send: octets(5, 0) }]

suite('what others got wrong', () => {
  leakTest('socks 1: octets that come with the reply are kept for a listener that comes 50 ms later', async scene => {
    const rogue = await rogueProxy(scene, [
      ...NO_PASSWORD,
      { await: 10 },
      { send: Buffer.concat([GOOD, Buffer.from('220 hi')]) },
      'end',
    ])
    const socket = await connect({ host: 'mail.test', port: 25, via: `socks5h://127.0.0.1:${rogue.port}` })
    await new Promise(resolve => setTimeout(resolve, 50))
    assert.equal(await everything(socket), '220 hi')
  })

  leakTest(
    'socks 2: no error shows the password, in any property, its JSON, its stack or an inspection',
    async scene => {
      const wrong = await rogueProxy(scene, [
        { await: 4 },
        { send: octets(5, 2) },
        { await: 5 },
        { send: octets(1, 1) },
        'end',
      ])
      const dead = await scene.deadPort()
      const login = 'alice:open%20sesame@127.0.0.1'
      const routes = [
        `socks5h://${login}:${wrong.port}`,
        `socks5h://${login}:${dead}`,
        `http://${login}:${dead}`,
        chain([`socks5h://${login}:${wrong.port}`, `http://${login}:1`]),
        pool([`socks5h://${login}:${dead}`, `https://${login}:${dead}`]),
      ]
      for (const via of routes) {
        const error = await rejection(connect({ host: 'target.test', port: 443, via }))
        const shown = [
          inspect(error, { depth: 9, showHidden: true }),
          JSON.stringify(error),
          String(error.stack),
          error.message,
        ]
        for (const one of shown) assert.ok(!/sesame|alice|Basic/.test(one), one)
        assert.ok(error.code.startsWith('SOCKS_'))
      }
    },
  )

  leakTest('socks 3: a password over 255 octets is an error where it is given, not an exception later', async () => {
    assert.throws(() => toRoute(`socks5h://alice:${'x'.repeat(256)}@proxy.test`), SocksError)
    const via = { protocol: 'socks5h', host: '127.0.0.1', username: 'é'.repeat(128), password: '' } as const
    assert.equal((await rejection(connect({ host: 'a.test', port: 1, via }))).code, 'SOCKS_BAD_ARGUMENT')
  })

  leakTest('socks 4: a name beyond ASCII is not corrupted', async scene => {
    const asked = await requestOf(scene, 'bücher.test')
    assert.equal(asked.toString('latin1', 5, 5 + (asked[4] ?? 0)), 'xn--bcher-kva.test')
    assert.equal(asked.readUInt16BE(asked.length - 2), 443)
  })

  leakTest('socks 5: the time limit counts for a chain too', async scene => {
    const silent = await rogueProxy(scene, [...NO_PASSWORD, { await: 10 }, { send: GOOD }, 'silence'])
    const via = chain([`socks5h://127.0.0.1:${silent.port}`, 'socks5h://127.0.0.1:1'])
    const error = await rejection(connect({ host: 'a.test', port: 1, via, timeout: 60 }))
    assert.deepEqual([error.code, error.phase, error.hop], ['SOCKS_TIMED_OUT', 'greeting', 1])
  })

  leakTest('socks-proxy-agent 6: an IPv6 proxy in brackets is an address', async scene => {
    const port = await scene.target(socket => socket.destroy(), '::1')
    const error = await rejection(connect({ host: 'a.test', port: 1, via: `socks5h://[::1]:${port}` }))
    assert.equal(error.code, 'SOCKS_PROXY_CLOSED')
  })

  leakTest('undici 7: socks5h, socks4 and socks4a are known', async () => {
    for (const scheme of ['socks5h', 'socks4', 'socks4a']) assert.equal(toRoute(`${scheme}://p.test`).kind, 'proxy')
  })

  leakTest('undici 8: an IPv6 target is sent as an address, not as a name in brackets', async scene => {
    const asked = await requestOf(scene, '[2001:db8::1]')
    assert.deepEqual([...asked.subarray(3, 8)], [4, 0x20, 0x01, 0x0d, 0xb8])
  })

  leakTest('undici 9: a user name without a password is offered', async scene => {
    const greetings: Buffer[] = []
    const port = await scene.target(socket =>
      socket.once('data', (greeting: Buffer) => {
        greetings.push(greeting)
        socket.destroy()
      }),
    )
    await rejection(connect({ host: 'a.test', port: 1, via: `socks5h://alice@127.0.0.1:${port}` }))
    assert.deepEqual([...(greetings[0] ?? [])], [5, 2, 0, 2])
  })

  leakTest('undici 10: an abort ends the wait at once', async scene => {
    const silent = await rogueProxy(scene, ['silence'])
    const via = `socks5h://127.0.0.1:${silent.port}`
    const signal = AbortSignal.timeout(30)
    const error = await rejection(connect({ host: 'a.test', port: 1, via, signal }))
    assert.equal(error.code, 'SOCKS_ABORTED')
    assert.equal((error.cause as Error).name, 'TimeoutError')
  })

  leakTest(
    'undici 11, Node 12: ALL_PROXY with SOCKS is followed; an unknown scheme is an error; nothing goes direct',
    async scene => {
      const direct: unknown[] = []
      const target = await scene.target(socket => direct.push(socket))
      const dead = await scene.deadPort()
      for (const scheme of ['socks5', 'socks5h', 'socks4a', 'http']) {
        const via = routeFromEnvironment({ ALL_PROXY: `${scheme}://127.0.0.1:${dead}` })
        const error = await rejection(connect({ host: '127.0.0.1', port: target, via }))
        assert.equal(error.code, 'SOCKS_PROXY_UNREACHABLE')
      }
      assert.throws(() => routeFromEnvironment({ HTTP_PROXY: 'socks7://127.0.0.1' }), SocksError)
      assert.deepEqual(direct, [])
    },
  )

  leakTest(
    'a program that asks by connect() follows its environment, and dies of a variable it does not know',
    async scene => {
      const proxy = await scene.proxy()
      const port = await scene.target(socket => socket.end('by the environment'))
      const script = `
      import { connect } from '@socksmith/client'
      const socket = await connect({ host: '127.0.0.1', port: ${port} })
      for await (const chunk of socket) process.stdout.write(chunk)`
      const good = await runScript(script, { ALL_PROXY: proxy.url() })
      assert.deepEqual([good.status, good.stdout], [0, 'by the environment'], good.stderr)
      assert.equal(proxy.records.length, 1)
      const bad = await runScript(script, { ALL_PROXY: 'socks99://alice:sesame@127.0.0.1:1' })
      assert.equal(bad.status, 1)
      assert.match(bad.stderr, /ALL_PROXY/)
      assert.ok(!bad.stderr.includes('sesame'))
    },
  )
})

/** The request that a proxy gets for this host. */
async function requestOf(scene: Scene, host: string): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>()
  const port = await scene.target(socket => {
    socket.once('data', () => {
      socket.write(octets(5, 0))
      socket.once('data', (request: Buffer) => {
        resolve(request)
        socket.end(octets(5, 1))
      })
    })
  })
  await rejection(connect({ host, port: 443, via: `socks5h://127.0.0.1:${port}` }))
  return promise
}

interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

// In a process of its own, because the environment belongs to the process; the proxy lives in this one.
async function runScript(script: string, env: NodeJS.ProcessEnv): Promise<Ran> {
  const child = spawn(process.execPath, ['--conditions=@socksmith/source', '--input-type=module', '--eval', script], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    env: { PATH: process.env['PATH'], ...env },
  })
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ])
  return { status, stdout, stderr }
}

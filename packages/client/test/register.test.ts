/** `node --import @socksmith/client/register`: a program that knows nothing of proxies, in a process of its own. */
import assert from 'node:assert/strict'
import { type SpawnSyncReturns, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { suite, test } from 'node:test'
import { socksProxy } from './http/socks-proxy.ts'
import { webServer } from './http/web-server.ts'

type Ended = Pick<SpawnSyncReturns<string>, 'stdout' | 'stderr' | 'status'>

const VARIABLE = /^(no|all|http|https|ftp|ws|wss|socks)_proxy$/i

/** Runs `program` with these variables, and with no other that could name a proxy. */
async function run(program: string, variables: { readonly [name: string]: string }): Promise<Ended> {
  const inherited = Object.entries(process.env).filter(([name]) => !VARIABLE.test(name) && name !== 'NODE_OPTIONS')
  const child = spawn(
    process.execPath,
    [
      '--conditions=@socksmith/source',
      '--import',
      '@socksmith/client/register',
      '--input-type=module',
      '--eval',
      program,
    ],
    { env: { ...Object.fromEntries(inherited), ...variables }, cwd: import.meta.dirname },
  )
  const closed = once(child, 'close') as Promise<[number]>
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [status] = await closed
  return { stdout, stderr, status }
}

function program(url: string): string {
  return `
    import http from 'node:http'
    import { text } from 'node:stream/consumers'
    console.log(await (await fetch('${url}')).text())
    http.get('${url}', async response => console.log(await text(response)))
  `
}

suite('register', () => {
  test('fetch and http.get go by ALL_PROXY, in upper and lower case', async t => {
    const proxy = await socksProxy(t, { password: 'alice:secret' })
    const server = await webServer(t)
    for (const name of ['ALL_PROXY', 'all_proxy', 'HTTP_PROXY', 'http_proxy']) {
      const before = proxy.asked.length
      const { stdout, stderr } = await run(program(`http://a.test:${server.port}/`), { [name]: proxy.url })
      assert.equal(stdout, `GET / a.test:${server.port}\n`.repeat(2), stderr)
      assert.equal(proxy.asked.length, before + 2)
    }
  })

  test('NO_PROXY is honoured', async t => {
    const proxy = await socksProxy(t)
    const server = await webServer(t)
    const { stdout } = await run(program(`http://127.0.0.1:${server.port}/`), {
      ALL_PROXY: proxy.url,
      NO_PROXY: '127.0.0.1',
    })
    assert.equal(stdout, `GET / 127.0.0.1:${server.port}\n`.repeat(2))
    assert.equal(proxy.asked.length, 0)
  })

  test('a variable that cannot be used ends the program before it does anything, without telling its secret', async t => {
    const server = await webServer(t)
    for (const value of ['sock5://alice:secret@127.0.0.1:1080', 'socks5h://alice:secret@127.0.0.1:99999']) {
      const { stdout, stderr, status } = await run(program(`http://127.0.0.1:${server.port}/`), { all_proxy: value })
      assert.equal(stdout, '')
      assert.notEqual(status, 0)
      assert.match(stderr, /all_proxy/)
      assert.ok(!stderr.includes('secret'))
    }
    assert.equal(server.connections(), 0)
  })

  test('a proxy that is not there is an error, never a direct connection', async t => {
    const server = await webServer(t)
    const { stderr, status } = await run(program(`http://127.0.0.1:${server.port}/`), {
      ALL_PROXY: 'socks5h://127.0.0.1:9',
    })
    assert.match(stderr, /SOCKS_PROXY_UNREACHABLE/)
    assert.notEqual(status, 0)
    assert.equal(server.connections(), 0)
  })

  test('it holds beside NODE_USE_ENV_PROXY', async t => {
    const proxy = await socksProxy(t)
    const server = await webServer(t)
    const variables = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: `http://127.0.0.1:${proxy.port}` }
    const { stdout, stderr } = await run(program(`http://a.test:${server.port}/x`), variables)
    assert.equal(stdout, `GET /x a.test:${server.port}\n`.repeat(2), stderr)
  })

  test('without any variable the program runs as without it', async t => {
    const server = await webServer(t)
    const { stdout } = await run(program(`http://127.0.0.1:${server.port}/`), {})
    assert.equal(stdout, `GET / 127.0.0.1:${server.port}\n`.repeat(2))
  })
})

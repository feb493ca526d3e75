/** connect() through several real proxies: chains, pools, all addresses of a name, and what is told on the way. */
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { suite } from 'node:test'
import { type IpAddress, failure, parseIp } from '@socksmith/protocol'
import { type HopEnd, chain, connect, connectionDetails, pool } from '../src/index.ts'
import { rogueProxy } from './rogue/rogue-proxy.ts'
import { AUTHORITY, type Proxy, everything, leakTest, rejection, until } from './scene.ts'

const LOGIN = 'alice:open%20sesame'

suite('names that are resolved here', () => {
  leakTest('every address is tried, until the proxy reaches one', async scene => {
    const proxy = await scene.proxy()
    const port = await scene.echo()
    const addresses = ['::1', '127.0.0.9', '127.0.0.1'].map(text => parseIp(text) as IpAddress)
    const resolver = { resolve: () => Promise.resolve(addresses) }
    const socket = await connect({ host: 'many.test', port, via: proxy.url('socks5'), resolver })
    socket.end('found')
    assert.equal(await everything(socket), 'found')
    // SOCKS4 has no room for the first one.
    const old = await connect({ host: 'many.test', port, via: proxy.url('socks4'), resolver })
    old.destroy()
    const none = { resolve: () => Promise.resolve(addresses.slice(0, 1)) }
    const error = await rejection(connect({ host: 'many.test', port, via: proxy.url('socks4'), resolver: none }))
    assert.deepEqual([error.code, error.phase], ['SOCKS_ADDRESS_TYPE_NOT_SUPPORTED', 'resolve'])
    const unknown = { resolve: () => Promise.resolve(failure('name_not_found', 'target')) }
    const missing = await rejection(connect({ host: 'many.test', port, via: proxy.url('socks5'), resolver: unknown }))
    assert.deepEqual([missing.code, missing.errno], ['SOCKS_NAME_NOT_FOUND', 'ENOTFOUND'])
    await until(() => proxy.records.length === 5, 'all sessions are over')
  })
})

suite('a chain', () => {
  leakTest('of SOCKS5, HTTP, SOCKS4a and TLS, each inside the one before', async scene => {
    const proxies = [await scene.proxy(), await scene.proxy({ tls: true }), await scene.proxy(), await scene.proxy()]
    const [first, secure, third, last] = proxies as [Proxy, Proxy, Proxy, Proxy]
    const port = await scene.echo()
    const secured = {
      protocol: 'https',
      host: 'localhost',
      port: secure.port,
      tls: { authorities: AUTHORITY },
    } as const
    const via = chain([first.url(), secured, third.url('socks4a'), last.url('http')])
    const socket = await connect({ host: 'localhost', port, via })
    socket.end('through four')
    assert.equal(await everything(socket), 'through four')
    assert.equal(connectionDetails(socket)?.hops.length, 4)
  })

  leakTest('an error names the proxy on the way that is at fault', async scene => {
    const [one, two] = [await scene.proxy(), await scene.proxy()]
    const dead = await scene.deadPort()
    const port = await scene.echo()
    const unreachable = chain([one.url(), two.url(), `socks5h://127.0.0.1:${dead}`])
    const gone = await rejection(connect({ host: '127.0.0.1', port, via: unreachable }))
    assert.deepEqual([gone.code, gone.hop, gone.proxy], ['SOCKS_PROXY_UNREACHABLE', 2, `socks5h://127.0.0.1:${dead}`])
    const refused = await rejection(connect({ host: '127.0.0.1', port: dead, via: chain([one.url(), two.url()]) }))
    assert.deepEqual([refused.code, refused.hop, refused.reply], ['SOCKS_CONNECTION_REFUSED', 1, 5])
    assert.equal(refused.errno, 'ECONNREFUSED')
  })

  leakTest('every hop is told on diagnostics_channel, without the password', async scene => {
    const [one, two] = [await scene.proxy({ password: true }), await scene.proxy()]
    const port = await scene.echo()
    const messages: [string | symbol, unknown][] = []
    const note = (message: unknown, name: string | symbol): void => void messages.push([name, message])
    const names = ['socksmith:hop:start', 'socksmith:hop:end', 'socksmith:hop:error']
    for (const name of names) subscribe(name, note)
    const socket = await connect({ host: '127.0.0.1', port, via: chain([one.url('socks5h', LOGIN), two.url()]) })
    socket.destroy()
    const dead = await scene.deadPort()
    await rejection(connect({ host: '127.0.0.1', port: dead, via: two.url() }))
    for (const name of names) unsubscribe(name, note)
    const told = messages.map(([name]) => String(name).slice('socksmith:hop:'.length))
    assert.deepEqual(told, ['start', 'end', 'start', 'end', 'start', 'error'])
    const end = messages[3]?.[1] as HopEnd
    assert.equal(end.proxy, two.url())
    assert.equal(end.target, `127.0.0.1:${port}`)
    assert.ok(!JSON.stringify(messages).includes('sesame'))
  })
})

suite('a pool', () => {
  leakTest(
    'goes on to the next when a proxy is dead, and remembers it; all dead is an error with each cause',
    async scene => {
      const proxy = await scene.proxy()
      const port = await scene.echo()
      const dead = [await scene.deadPort(), await scene.deadPort()].map(one => `socks5h://127.0.0.1:${one}`)
      const silent = await rogueProxy(scene, ['silence'])
      const via = pool([`socks5h://127.0.0.1:${silent.port}`, ...dead, proxy.url()])
      for (let i = 0; i < 3; i++) {
        const socket = await connect({ host: '127.0.0.1', port, via, timeouts: { greeting: 40 } })
        assert.equal(connectionDetails(socket)?.hops[0]?.proxy, proxy.url())
        socket.destroy()
      }
      assert.equal(silent.count, 1, 'the one that was silent is avoided')
      const error = await rejection(connect({ host: '127.0.0.1', port, via: pool(dead) }))
      assert.deepEqual([error.code, error.causes.map(({ proxy: label }) => label)], ['SOCKS_POOL_DEAD', dead])
    },
  )

  leakTest('what a proxy says about the target is the answer, and does not make the proxy dead', async scene => {
    const [one, two] = [await scene.proxy(), await scene.proxy()]
    const via = pool([one.url(), two.url()])
    const refused = await rejection(connect({ host: '127.0.0.1', port: await scene.deadPort(), via }))
    assert.equal(refused.code, 'SOCKS_CONNECTION_REFUSED')
    const socket = await connect({ host: '127.0.0.1', port: await scene.echo(), via })
    assert.equal(connectionDetails(socket)?.hops[0]?.proxy, one.url())
    socket.destroy()
    await until(() => one.records.length === 2, 'both went through the first')
    assert.deepEqual(two.records, [])
  })
})

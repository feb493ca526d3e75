/** listen(): BIND through SOCKS4 and SOCKS5, in a chain, several in a row, and how it fails. */
import assert from 'node:assert/strict'
import { connect as plainConnect } from 'node:net'
import { suite } from 'node:test'
import { type SocksListener, chain, connectionDetails, listen, resolve, reverse } from '../src/index.ts'
import { type Act, rogueProxy } from './rogue/rogue-proxy.ts'
import { everything, leakTest, rejection, until } from './scene.ts'

const octets = (...values: readonly number[]): Uint8Array => Uint8Array.from(values)

/** A peer connects, says this and hangs up; what the listener's socket brought. */
async function meet(listener: SocksListener, said: string): Promise<string> {
  const { host, port } = listener.address
  const peer = plainConnect(port, host, () => peer.end(said))
  const socket = await listener.accept()
  assert.equal(connectionDetails(socket)?.bound.port, peer.localPort)
  const heard = await everything(socket)
  peer.destroy()
  return heard
}

suite('BIND', () => {
  for (const scheme of ['socks4', 'socks4a', 'socks5', 'socks5h']) {
    leakTest(`${scheme}://: an address, a peer, several in a row`, async scene => {
      const proxy = await scene.proxy()
      let listener = await listen({ via: proxy.url(scheme), host: '127.0.0.1', port: 21 })
      for (const said of ['first', 'second', 'third']) {
        assert.equal(await meet(listener, said), said)
        listener = await listener.again()
      }
      listener.close()
    })
  }

  leakTest('through a chain, for one peer only', async scene => {
    const [one, two] = [await scene.proxy(), await scene.proxy()]
    const listener = await listen({ via: chain([one.url('http'), two.url()]), host: '127.0.0.1' })
    assert.equal(await meet(listener, 'far'), 'far')
    assert.equal((await rejection(listener.accept())).code, 'SOCKS_BAD_ARGUMENT')
  })

  leakTest('both replies and data in one piece: nothing is lost, and 0.0.0.0 is the proxy itself', async scene => {
    const first = octets(5, 0, 0, 1, 0, 0, 0, 0, 0x10, 0x20)
    const second = octets(5, 0, 0, 1, 192, 0, 2, 7, 0, 20)
    const glued = Buffer.concat([first, second, Buffer.from('220 early')])
    for (const pieces of [[], [10], [15], [20], [22], [10, 20]]) {
      const rogue = await rogueProxy(scene, [
        { await: 3 },
        { send: octets(5, 0) },
        { await: 10 },
        { send: glued, pieces },
        'end',
      ])
      const listener = await listen({ via: `socks5h://127.0.0.1:${rogue.port}` })
      assert.deepEqual(listener.address, { host: '127.0.0.1', port: 0x1020 })
      const socket = await listener.accept()
      assert.deepEqual(connectionDetails(socket)?.bound, { host: '192.0.2.7', port: 20 })
      assert.equal(await everything(socket), '220 early')
    }
  })

  leakTest('a second reply that refuses, a proxy that leaves and a limit are errors of accept()', async scene => {
    const first = octets(5, 0, 0, 1, 127, 0, 0, 1, 0x10, 0x20)
    const begin = [{ await: 3 }, { send: octets(5, 0) }, { await: 10 }, { send: first }] as const
    const refusing = await rogueProxy(scene, [...begin, { send: octets(5, 6, 0, 1, 0, 0, 0, 0, 0, 0) }, 'silence'])
    const refused = await rejection((await listen({ via: `socks5h://127.0.0.1:${refusing.port}` })).accept())
    assert.deepEqual([refused.code, refused.phase, refused.reply], ['SOCKS_TTL_EXPIRED', 'accept', 6])
    const leaving = await rogueProxy(scene, [...begin, 'end'])
    const left = await rejection((await listen({ via: `socks5h://127.0.0.1:${leaving.port}` })).accept())
    assert.deepEqual([left.code, left.phase], ['SOCKS_PROXY_CLOSED', 'accept'])
    const silent = await rogueProxy(scene, [...begin, 'silence'])
    const late = await rejection((await listen({ via: `socks5h://127.0.0.1:${silent.port}` })).accept({ timeout: 40 }))
    assert.deepEqual([late.code, late.phase], ['SOCKS_TIMED_OUT', 'accept'])
    await until(() => refusing.open.size + leaving.open.size + silent.open.size === 0, 'all is closed')
  })

  leakTest('close() and `await using` stop the proxy from listening', async scene => {
    const proxy = await scene.proxy()
    {
      await using listener = await listen({ via: proxy.url(), host: '127.0.0.1' })
      assert.ok(listener.address.port > 0)
    }
    await until(() => proxy.records.length === 1, 'the BIND is over')
  })

  leakTest('what has no BIND says so before anything is opened', async () => {
    for (const via of ['direct', 'http://127.0.0.1:1', 'ssh://127.0.0.1:1']) {
      assert.equal((await rejection(listen({ via }))).code, 'SOCKS_BAD_ARGUMENT')
    }
  })
})

suite('RESOLVE', () => {
  leakTest('an address for a name, a name for an address', async scene => {
    const forward = await rogueProxy(scene, answer(octets(5, 0, 0, 1, 192, 0, 2, 5, 0, 0)))
    assert.deepEqual(await resolve('name.test', { via: `socks5h://127.0.0.1:${forward.port}` }), ['192.0.2.5'])
    const name = Buffer.from('host.test')
    const back = await rogueProxy(scene, answer(Buffer.concat([octets(5, 0, 0, 3, name.length), name, octets(0, 0)])))
    assert.deepEqual(await reverse('192.0.2.5', { via: `socks5h://127.0.0.1:${back.port}` }), ['host.test'])
    const old = await rogueProxy(scene, [{ await: 9 }, { send: octets(0, 90, 0, 0, 192, 0, 2, 6) }, 'silence'])
    assert.deepEqual(await resolve('name.test', { via: `socks4a://127.0.0.1:${old.port}` }), ['192.0.2.6'])
    await until(() => forward.open.size + back.open.size + old.open.size === 0, 'all is closed')
  })

  leakTest('the name is asked there also by socks5://, and a refusal is an error', async scene => {
    const proxy = await scene.proxy()
    for (const scheme of ['socks5', 'socks5h']) {
      const error = await rejection(resolve('name.test', { via: proxy.url(scheme) }))
      assert.deepEqual([error.code, error.reply], ['SOCKS_COMMAND_NOT_SUPPORTED', 7])
    }
  })

  leakTest('on a direct route this machine is asked', async () => {
    assert.ok((await resolve('localhost', { via: 'direct' })).includes('127.0.0.1'))
    assert.deepEqual(await resolve('192.0.2.1', { via: 'socks5h://127.0.0.1:1' }), ['192.0.2.1'])
    assert.equal((await rejection(resolve('a.test', { via: 'block' }))).code, 'SOCKS_BLOCKED')
  })
})

function answer(reply: Uint8Array): readonly Act[] {
  return [{ await: 3 }, { send: octets(5, 0) }, { await: 5 }, { send: reply }, 'silence']
}

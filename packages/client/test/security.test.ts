/** The weaknesses of other clients that became advisories, each as what our client does in its place. */
import assert from 'node:assert/strict'
import { suite } from 'node:test'
import { SocksError, connect, toRoute } from '../src/index.ts'
import { rogueProxy } from './rogue/rogue-proxy.ts'
import { leakTest, rejection } from './scene.ts'

suite('advisories of other clients', () => {
  leakTest('CVE-2023-38545: a name that is too long is an error, and is never resolved here instead', async scene => {
    // It would answer one octet at a time; nobody may get as far as asking it.
    const rogue = await rogueProxy(scene, [{ await: 3 }, { send: Uint8Array.of(5, 0), pieces: [1] }, 'silence'])
    for (const scheme of ['socks5h', 'socks5', 'socks4a', 'socks4', 'http']) {
      for (const length of [256, 257, 1_000, 65_535, 65_536]) {
        const host = `${'a'.repeat(60)}.`.repeat(2_000).slice(0, length - 1) + 'b'
        const error = await rejection(connect({ host, port: 443, via: `${scheme}://127.0.0.1:${rogue.port}` }))
        assert.equal(error.code, 'SOCKS_BAD_ARGUMENT', `${scheme} ${length}`)
      }
    }
    assert.equal(rogue.count, 0)
  })

  leakTest('credentials of more than 255 octets are an error before anything is sent', async scene => {
    const rogue = await rogueProxy(scene, ['silence'])
    for (const length of [256, 70_000]) {
      for (const login of [`${'u'.repeat(length)}:p`, `u:${'p'.repeat(length)}`]) {
        assert.throws(
          () => toRoute(`socks5h://${login}@127.0.0.1:${rogue.port}`),
          (error: unknown) => {
            assert.ok(error instanceof SocksError)
            assert.doesNotMatch(error.message, /uuuu|pppp/)
            return true
          },
        )
      }
    }
    assert.equal(rogue.count, 0)
  })

  leakTest('a proxy that takes no password from a client that was given none to skip is refused', async scene => {
    // The proxy, or somebody in its place, grants everything without looking at the login.
    const rogue = await rogueProxy(scene, [{ await: 3 }, { send: Uint8Array.of(5, 0) }, 'silence'])
    const { userPasswordClient, utf8Octets } = await import('@socksmith/protocol')
    const login = userPasswordClient({ username: utf8Octets('u'), password: utf8Octets('p') })
    const via = { protocol: 'socks5h', host: '127.0.0.1', port: rogue.port, methods: [login] } as const
    const error = await rejection(connect({ host: 'target.test', port: 443, via }))
    assert.equal(error.reason, 'method_not_offered')
  })
})

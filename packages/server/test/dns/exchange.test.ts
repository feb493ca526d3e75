/** Names by UDP, TCP and HTTPS, straight and through a proxy. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { toRoute } from '@socksmith/client'
import type { Resolution, TimedAddresses } from '@socksmith/engine'
import { type DnsGround, httpsExchange, messageLookup, tcpExchange, udpExchange } from '@socksmith/server'
import { type Endpoint, formatAddress } from '@socksmith/protocol'
import { createEngine } from '../engine.ts'
import { deadPort, fixedResolver, ip, openScene, openTarget } from '../scene.ts'
import { openHttpsNameServer, openNameServer } from './name-server.ts'

const NAMES = { 'a.example': ['192.0.2.1', '2001:db8::1'], 'four.example': ['192.0.2.4'] }
const resolver = fixedResolver({ localhost: ['127.0.0.1'] })

function at(port: number): Endpoint {
  return { address: ip('127.0.0.1'), port }
}

function ground(proxyPort?: number): DnsGround {
  const route = proxyPort === undefined ? {} : { route: toRoute(`socks5h://127.0.0.1:${proxyPort}`) }
  return { engine: createEngine(), resolver, ...route }
}

function shown(found: Resolution | TimedAddresses): string {
  if ('code' in found) return found.code
  const addresses = 'ttlMs' in found ? found.addresses : found
  return addresses.map(formatAddress).join(' ')
}

suite('DNS by ourselves', () => {
  for (const [kind, exchange] of [
    ['udp', udpExchange],
    ['tcp', tcpExchange],
  ] as const) {
    for (const isProxied of [false, true]) {
      test(`${kind}, ${isProxied ? 'through a proxy' : 'straight'}: both families, their time, and a name that is none`, async t => {
        const server = await openNameServer(t, NAMES, { ttl: 7 })
        const proxy = isProxied ? await openScene(t) : undefined
        const lookup = messageLookup(exchange(ground(proxy?.port), [at(server.port)]))
        const found = await lookup('a.example')
        assert.equal(shown(found), '2001:db8::1 192.0.2.1')
        assert.ok('ttlMs' in found && found.ttlMs === 7_000)
        assert.equal(shown(await lookup('four.example')), '192.0.2.4')
        assert.equal(shown(await lookup('none.example')), 'name_not_found')
        assert.equal(server.asked[kind], 6)
        if (proxy !== undefined)
          assert.equal((await proxy.record()).command, kind === 'udp' ? 'udp-associate' : 'connect')
      })
    }
  }

  test('an answer that was cut is asked for by TCP', async t => {
    const server = await openNameServer(t, NAMES, { truncated: true })
    const lookup = messageLookup(udpExchange(ground(), [at(server.port)]))
    assert.equal(shown(await lookup('a.example')), '2001:db8::1 192.0.2.1')
    assert.deepEqual(server.asked, { udp: 2, tcp: 2 })
  })

  test('the next server is asked when the first does not answer', async t => {
    const server = await openNameServer(t, NAMES)
    const lookup = messageLookup(tcpExchange(ground(), [at(await deadPort()), at(server.port)]))
    assert.equal(shown(await lookup('four.example')), '192.0.2.4')
  })

  test('an answer to another question is none', async t => {
    // The same message as an answer: of another id, and about b.example. Two octets of length stand before it.
    const lies = [
      (octets: Buffer) => void octets.writeUInt16BE((octets.readUInt16BE(2) + 1) & 0xffff, 2),
      (octets: Buffer) => void octets.write('b', 2 + 12 + 1),
    ]
    for (const lie of lies) {
      const liar = await openTarget(t, socket => {
        socket.once('data', (octets: Buffer) => {
          lie(octets)
          octets[4] = 0x81
          socket.write(octets)
        })
      })
      const lookup = messageLookup(tcpExchange(ground(), [at(liar.port)]))
      const found = await lookup('a.example')
      assert.ok('code' in found && found.code === 'name_not_found')
      assert.match(found.detail ?? '', /nonsense/)
    }
  })
})

suite('DNS over HTTPS', () => {
  for (const isProxied of [false, true]) {
    test(`asks and believes its authority only; ${isProxied ? 'through a proxy' : 'straight'}`, async t => {
      const server = await openHttpsNameServer(t, NAMES)
      const proxy = isProxied ? await openScene(t) : undefined
      const url = new URL(server.url)
      const own = messageLookup(httpsExchange(ground(proxy?.port), { url, authorities: server.authority }))
      assert.equal(shown(await own('a.example')), '2001:db8::1 192.0.2.1')
      assert.equal(shown(await own('none.example')), 'name_not_found')
      assert.equal(server.asked.count, 4)
      const other = messageLookup(httpsExchange(ground(proxy?.port), { url }))
      assert.equal(shown(await other('a.example')), 'not_allowed')
      assert.equal(server.asked.count, 4)
    })
  }

  test('what is no answer is told', async t => {
    const server = await openHttpsNameServer(t, NAMES)
    const wrong = new URL(server.url)
    wrong.port = String(await deadPort())
    const lookup = messageLookup(httpsExchange(ground(), { url: wrong, authorities: server.authority }))
    assert.equal(shown(await lookup('a.example')), 'connection_refused')
  })
})

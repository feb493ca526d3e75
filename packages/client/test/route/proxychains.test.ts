/** A proxychains.conf as a route. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { routeFromProxychains } from '../../src/index.ts'
import { goes, refusal } from './ask.ts'

suite('proxychains.conf', () => {
  const LIST =
    '[ProxyList]\n# add proxy here\nsocks4 127.0.0.1 9050\nsocks5 192.0.2.1 1080 lamer secret\nhttp 192.0.2.2 8080\n'

  test('chains, DNS, local networks and limits', () => {
    const { route, timeouts } = routeFromProxychains(
      `strict_chain\nquiet_mode\nproxy_dns\nremote_dns_subnet 224\ntcp_read_time_out 15000\ntcp_connect_time_out 8000\nlocalnet 127.0.0.0/255.0.0.0\nlocalnet 10.0.0.0:80/8\n${LIST}`,
    )
    assert.deepEqual(timeouts, { request: 15_000, connect: 8_000 })
    assert.equal(goes(route, '127.0.0.1'), 'direct')
    assert.equal(goes(route, '10.0.0.1', 80), 'direct')
    assert.equal(goes(route, '10.0.0.1', 81), 'chain')
    assert.ok(route.kind === 'rules')
    const last = route.rules.at(-1)?.via
    assert.ok(last?.kind === 'chain')
    assert.deepEqual(
      last.links.map(link => (link.kind === 'proxy' ? link.hop.protocol : link.kind)),
      ['socks4a', 'socks5', 'http'],
    )
    assert.ok(last.links.every(link => link.kind === 'proxy' && link.hop.resolve === 'there'))
  })

  test('dynamic, random and round-robin chains', () => {
    const dynamic = routeFromProxychains(`dynamic_chain\n${LIST}`).route
    assert.ok(dynamic.kind === 'chain' && dynamic.skipsDead)
    const [first] = dynamic.links
    assert.ok(first?.kind === 'proxy' && first.hop.protocol === 'socks4' && first.hop.resolve === 'here')
    const random = routeFromProxychains(`random_chain\nchain_len = 2\n${LIST}`).route
    assert.ok(random.kind === 'pool' && random.strategy === 'random' && random.length === 2)
    const robin = routeFromProxychains(`round_robin_chain\nchain_len=3\n${LIST}`).route
    assert.ok(robin.kind === 'pool' && robin.strategy === 'round-robin' && robin.length === 3)
  })

  test('a line that is not understood is an error with its number', () => {
    for (const [text, line] of [
      ['strict_chain\ndnat 1.1.1.1 2.2.2.2\n', 2],
      ['[ProxyList]\nraw 127.0.0.1 1\n', 2],
      ['[ProxyList]\nsocks5 127.0.0.1\n', 2],
      ['\n\nlocalnet 127.0.0.0/255.0.255.0\n', 3],
    ] as const) {
      assert.match(refusal(() => routeFromProxychains(text)).message, new RegExp(`line ${line}:`))
    }
    assert.match(refusal(() => routeFromProxychains('strict_chain\n[ProxyList]\n')).message, /no proxy/)
  })
})

/** What people write as a proxy becomes a route or an error; nothing secret shows in a route that is printed. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { inspect } from 'node:util'
import { type Route, chain, pool, rules, toRoute } from '../../src/index.ts'
import { hopOf, refusal } from './ask.ts'

const SECRET = 'open%20sesame'

suite('URLs', () => {
  test('every scheme says protocol, resolver, port and TLS', () => {
    const cases: readonly (readonly [string, string, string, number, boolean])[] = [
      ['socks://p.test', 'socks5', 'there', 1080, false],
      ['socks4://p.test', 'socks4', 'here', 1080, false],
      ['socks4a://p.test', 'socks4a', 'there', 1080, false],
      ['socks5://p.test', 'socks5', 'here', 1080, false],
      ['socks5h://p.test:9050', 'socks5', 'there', 9050, false],
      ['socks5+tls://p.test', 'socks5', 'there', 1080, true],
      ['http://p.test:80', 'http', 'there', 80, false],
      ['http://p.test', 'http', 'there', 80, false],
      ['https://p.test', 'http', 'there', 443, true],
      ['https://p.test:8443', 'http', 'there', 8443, true],
      ['ssh://p.test', 'ssh', 'there', 22, false],
      ['SOCKS5H://P.TEST', 'socks5', 'there', 1080, false],
    ]
    for (const [url, protocol, resolve, port, tls] of cases) {
      const hop = hopOf(toRoute(url))
      assert.deepEqual([hop.protocol, hop.resolve, hop.tls !== undefined], [protocol, resolve, tls], url)
      assert.ok(hop.place.kind === 'host')
      assert.equal(hop.place.destination.port, port, url)
    }
  })

  test('an IPv6 address stands in brackets and is an address', () => {
    const { place, label } = hopOf(toRoute('socks5h://[::1]:1080'))
    assert.ok(place.kind === 'host')
    assert.equal(place.destination.address.type, 'ipv6')
    assert.equal(label, 'socks5h://[::1]:1080')
  })

  test('user name and password are percent-decoded; a name without a password is kept', () => {
    const { credentials } = hopOf(toRoute(`socks5h://al%40ice:${SECRET}@p.test`))
    assert.ok(credentials !== undefined && 'reveal' in credentials)
    const { username, password } = credentials.reveal()
    assert.deepEqual([Buffer.from(username).toString(), Buffer.from(password).toString()], ['al@ice', 'open sesame'])
    const alone = hopOf(toRoute('socks5h://alice@p.test')).credentials
    assert.ok(alone !== undefined && 'reveal' in alone)
    assert.equal(Buffer.from(alone.reveal().username).toString(), 'alice')
  })

  test('what is not understood is an error, and the error does not repeat it', () => {
    for (const url of [
      'socks6://p.test',
      'ftp://p.test',
      'p.test:1080',
      'localhost:1080',
      '//p.test',
      '',
      'socks5h://',
      'socks5h://p.test:99999',
      'socks5h://p.test/path',
      'socks5h://p.test?dns=local',
      'socks5h://p.test#x',
      `socks4://alice:${SECRET}@p.test`,
      `socks5h://alice:${'x'.repeat(256)}@p.test`,
      `socks5h://al%zzice:${SECRET}@p.test`,
      `nonsense alice:${SECRET}`,
      'socks5h+unix://',
    ]) {
      const error = refusal(() => toRoute(url))
      assert.ok(!error.message.includes('sesame') && !error.message.includes('xxx'), url)
    }
  })

  test('a route prints without its secrets, and cannot be changed', () => {
    const route = chain([
      `socks5h://alice:${SECRET}@p.test`,
      { protocol: 'ssh', host: 'h.test', ssh: { privateKey: 'sesame' } },
    ])
    for (const text of [inspect(route, { depth: 9, showHidden: false }), JSON.stringify(route)]) {
      assert.ok(!/sesame|alice/.test(text), text)
    }
    assert.throws(() => ((route as { links: unknown }).links = []), TypeError)
    assert.ok(Object.isFrozen(route.links) && Object.isFrozen(hopOf(route.links[0] as Route)))
  })

  test('options that contradict each other are errors', () => {
    refusal(() => toRoute({ protocol: 'socks5h' }))
    refusal(() => toRoute({ protocol: 'socks5h', host: 'p.test', path: '/run/p.sock' }))
    refusal(() => toRoute({ protocol: 'socks4', host: 'p.test', resolve: 'there' }))
    refusal(() => toRoute({ protocol: 'http', host: 'p.test', methods: [] }))
    refusal(() => toRoute({ protocol: 'ssh', host: 'p.test', tls: true }))
    refusal(() => toRoute({ protocol: 'socks5', host: 'p.test', ssh: {} }))
    refusal(() => toRoute({ protocol: 'http', host: 'p.test', username: 'a:b', password: '' }))
    refusal(() => chain([]))
    refusal(() => chain(['direct']))
    refusal(() => pool([]))
    refusal(() => pool(['socks5h://p.test'], { length: 2 }))
    refusal(() => rules([]))
    refusal(() => rules([{ hosts: ['*.test'], via: 'direct' }]))
  })
})

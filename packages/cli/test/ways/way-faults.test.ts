/** What is said of ways that are wrong, and that no password is said with it. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { checkConfig } from '../../src/config/check.ts'
import { pathText } from '../../src/config/check.ts'
import { starredWays, wayDescription } from '../../src/ways/way-text.ts'

/** The problems of these ways, with their places. */
function faultsOf(ways: object): readonly string[] {
  const checked = checkConfig({ ways })
  return checked.ok ? [] : checked.problems.map(({ path, message }) => `${pathText(path)}: ${message}`)
}

suite('the key ways', () => {
  test('takes every kind of way', () => {
    const ways = {
      paris: 'socks5h://alice:sesame@a.example:1080',
      nowhere: 'block',
      chained: { chain: ['socks5h://a.example', 'http://b.example:3128'] },
      fleet: {
        pool: ['socks5h://a.example', { to: 'paris', weight: 3 }, 'chained'],
        strategy: 'round-robin',
        sticky: 'user',
        'back-off': '500ms',
        'back-off-max': '10s',
      },
      six: { source: '2001:db8:1::/64', sticky: 'session' },
      many: { source: ['192.0.2.7', '192.0.2.8', '2001:db8::7'], interface: 'eth1', mark: 7 },
    }
    assert.deepEqual(faultsOf(ways), [])
  })

  for (const [ways, fault] of [
    [{ direct: {} }, 'ways.direct: the way direct is there already; choose another name'],
    [{ a: 'sock5://bob:sesame@a' }, 'ways.a: unknown scheme of a proxy "sock5"'],
    [{ a: { chain: ['socks5h://b', 'http://bob:sesame@a?x'] } }, 'ways.a.chain[1]: the URL of a proxy has no query'],
    [{ a: { pool: ['b'] }, b: { chain: ['a'] } }, 'ways.a.pool[0]: the way a leads through itself'],
    [
      { a: { chain: ['c'] } },
      'ways.a.chain[0]: expected the URL of a proxy, or the name of another way; there is none',
    ],
    [{ a: { chain: ['b'] }, b: { source: '127.0.0.1' } }, 'ways.a.chain[0]: the way b leads through no proxy'],
    [{ a: { chain: ['http://b'], pool: ['http://b'] } }, 'ways.a.pool: expected one of block, chain and pool'],
    [{ a: { strategy: 'random' } }, 'ways.a.strategy: only a pool has this'],
    [{ a: { sticky: 'user' } }, 'ways.a.sticky: expected a pool or a source beside it'],
    [{ a: { block: true, mark: 1 } }, 'ways.a.mark: a way that is blocked needs nothing else'],
    [{ a: { source: '192.0.2.7/24' } }, 'ways.a.source: expected'],
    [{ a: { interface: 'a/b' } }, 'ways.a.interface: expected the name of a network interface'],
    [{ a: { pool: [{ to: 'http://b', weight: 0 }] } }, 'ways.a.pool[0]'],
    [{ a: { pol: ['http://b'] } }, 'ways.a.pol: unknown key "pol" in ways.a'],
    [{ 'a b': {} }, 'ways.a b: expected a name of letters'],
  ] as const) {
    test(fault, () => {
      const found = faultsOf(ways)
      assert.ok(
        found.some(one => one.startsWith(fault)),
        found.join('\n'),
      )
      assert.ok(!found.join().includes('sesame'), found.join())
    })
  }
})

test('a way is described and shown without its passwords', () => {
  const ways = {
    a: 'socks5h://alice:sesame@a.example:1080',
    b: { pool: ['a', 'http://bob:sesame@b.example'], sticky: 'user', source: '127.0.0.0/8' },
  }
  assert.equal(wayDescription('a', ways, undefined), 'a (socks5h://a.example:1080)')
  assert.equal(
    wayDescription('b', ways, undefined),
    'b (one of socks5h://a.example:1080, http://b.example:80; failover, from 127.0.0.0/8, the same for each user)',
  )
  assert.deepEqual(starredWays(ways), {
    a: 'socks5h://alice:********@a.example:1080',
    b: { ...ways.b, pool: ['a', 'http://bob:********@b.example'] },
  })
})

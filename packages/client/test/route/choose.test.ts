/** Which proxies a connection goes through, in which order, and what a failure changes. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { chain, pool } from '../../src/index.ts'
import { Ways } from '../../src/route/choose.ts'

const [A, B, C] = ['a', 'b', 'c'].map(name => `socks5h://${name}.test`) as [string, string, string]
/** The next way, as the first letters of its proxies. */
function names(ways: Ways, nowMs = 0): string | undefined {
  return ways
    .next(nowMs)
    ?.hops.map(hop => hop.label.slice(10, 11))
    .join('')
}

suite('pools', () => {
  test('failover takes the first that works, and comes back to it after the back-off', () => {
    const route = pool([A, B, C], { backOffMs: 1_000, backOffMaxMs: 3_000 })
    const first = new Ways(route)
    assert.equal(names(first), 'a')
    assert.ok(first.failed(0, true, 0))
    assert.equal(names(first), 'b')
    first.succeeded([5])
    assert.equal(names(new Ways(route), 999), 'b')
    const again = new Ways(route)
    assert.equal(names(again, 1_000), 'a')
    again.failed(0, true, 1_000)
    assert.equal(names(new Ways(route), 2_999), 'b')
    assert.equal(names(new Ways(route), 3_000), 'a')
  })

  test('when all are down they are tried once each, and then there is no way', () => {
    const route = pool([A, B])
    const ways = new Ways(route)
    assert.deepEqual(
      [names(ways), ways.failed(0, true, 0), names(ways), ways.failed(0, true, 0), names(ways)],
      ['a', true, 'b', true, undefined],
    )
    const next = new Ways(route)
    assert.deepEqual(
      [names(next, 1), next.failed(0, true, 1), names(next, 1), next.failed(0, true, 1), names(next, 1)],
      ['a', true, 'b', true, undefined],
    )
  })

  test('round robin gives each its turn; a second try of one connection is not a turn', () => {
    const route = pool([A, B, C], { strategy: 'round-robin' })
    const first = new Ways(route)
    assert.equal(names(first), 'a')
    first.failed(0, false, 0)
    assert.equal(names(first), 'b')
    assert.deepEqual(
      [1, 2, 3, 4].map(() => names(new Ways(route))),
      ['b', 'c', 'a', 'b'],
    )
  })

  test('least latency measures each once, and then prefers the fastest', () => {
    const route = pool([A, B, C], { strategy: 'least-latency' })
    for (const ms of [30, 10, 20]) {
      const ways = new Ways(route)
      names(ways)
      ways.succeeded([ms])
    }
    assert.equal(names(new Ways(route)), 'b')
  })

  test('random takes each, and chains of several different ones', () => {
    const route = pool([A, B, C], { strategy: 'random', length: 2 })
    const seen = new Set(Array.from({ length: 200 }, () => names(new Ways(route))))
    assert.deepEqual(seen, new Set(['ab', 'ac', 'ba', 'bc', 'ca', 'cb']))
  })

  test('a pool inside a chain: its choice changes when its proxy fails, and nothing when another one does', () => {
    const route = chain(['socks5h://x.test', pool([A, B]), C])
    const ways = new Ways(route)
    assert.equal(names(ways), 'xac')
    assert.equal(ways.failed(1, true, 0), true)
    assert.equal(names(ways), 'xbc')
    assert.equal(ways.failed(2, true, 0), false)
  })

  test('a chain that may skip leaves out the dead, but not all of them', () => {
    const ways = new Ways(chain([A, B, C], { skipDead: true }))
    assert.equal(names(ways), 'abc')
    assert.ok(ways.failed(1, true, 0))
    assert.equal(names(ways), 'ac')
    assert.ok(ways.failed(0, true, 0) && names(ways) === 'c' && ways.failed(0, true, 0))
    assert.equal(names(ways), undefined)
  })
})

/** Shares of a pool: turns by weight, and the member that stays with a key. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { pool } from '../../src/index.ts'
import { Ways } from '../../src/route/choose.ts'

const MEMBERS = ['a', 'b', 'c'].map(name => `socks5h://${name}.test`)

function first(ways: Ways): string {
  return ways.next(0)?.hops[0]?.label.slice(10, 11) ?? ''
}

function counts(of: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries([...Map.groupBy(of, one => one)].map(([one, all]) => [one, all.length]))
}

suite('weights', () => {
  test('in turn, each is first as often in a round as it weighs, and not in a row', () => {
    const route = pool(MEMBERS, { strategy: 'round-robin', weights: [4, 1, 1] })
    const round = Array.from({ length: 12 }, () => first(new Ways(route)))
    assert.deepEqual(counts(round), { a: 8, b: 2, c: 2 })
    assert.ok(!round.join('').includes('aaaa'), round.join(''))
  })

  test('by chance, in proportion', () => {
    let at = 0
    // Every hundredth of the range once: what comes out is exact.
    const evenly = (): number => ((at++ * 37) % 100) / 100
    const route = pool(MEMBERS, { strategy: 'random', weights: [1, 2, 7] })
    const seen = Array.from({ length: 300 }, () => first(new Ways(route, {}, evenly)))
    const { a = 0, b = 0, c = 0 } = counts(seen)
    assert.ok(a < b && b < c && a > 0, JSON.stringify({ a, b, c }))
  })

  test('a pool that does not share out has none, and every member has one', () => {
    assert.throws(() => pool(MEMBERS, { weights: [1, 1, 1] }), /SOCKS_BAD_ARGUMENT|failover knows no weights/)
    assert.throws(() => pool(MEMBERS, { strategy: 'random', weights: [1, 1] }), /one weight for each/)
    assert.throws(() => pool(MEMBERS, { strategy: 'random', weights: [1, 0, 1] }), /from 1 to 100/)
    assert.ok(pool(MEMBERS, { sticky: 'user', weights: [1, 2, 3] }))
  })
})

suite('stickiness', () => {
  const users = Array.from({ length: 300 }, (_, index) => `user${index}`)
  const chosen = (members: readonly string[], weights?: readonly number[]): ReadonlyMap<string, string> => {
    const route = pool(members, { sticky: 'user', ...(weights && { weights }) })
    return new Map(users.map(user => [user, first(new Ways(route, { user }))]))
  }

  test('one user has one member, whenever and wherever it is asked', () => {
    assert.deepEqual(chosen(MEMBERS), chosen(MEMBERS))
    const share = counts([...chosen(MEMBERS).values()])
    for (const member of ['a', 'b', 'c']) assert.ok((share[member] ?? 0) > 60, JSON.stringify(share))
  })

  test('a member that goes moves only those who had it', () => {
    const [before, after] = [chosen(MEMBERS), chosen(MEMBERS.slice(0, 2))]
    for (const [user, member] of before) if (member !== 'c') assert.equal(after.get(user), member)
  })

  test('weights share users out', () => {
    const share = counts([...chosen(MEMBERS, [1, 1, 8]).values()])
    assert.ok((share['c'] ?? 0) > 200, JSON.stringify(share))
  })

  test('while the member is down another one takes its place, the same one for all this time', () => {
    const route = pool(MEMBERS, { sticky: 'user', backOffMs: 1_000 })
    const ways = new Ways(route, { user: 'ann' })
    const one = first(ways)
    ways.failed(0, true, 0)
    const instead = first(ways)
    assert.notEqual(instead, one)
    const label = (nowMs: number): string | undefined =>
      new Ways(route, { user: 'ann' }).next(nowMs)?.hops[0]?.label.slice(10, 11)
    assert.deepEqual([label(500), label(1_000)], [instead, one])
  })

  test('who lacks the trait is served by the strategy, and equal proxies with different logins are different', () => {
    assert.equal(first(new Ways(pool(MEMBERS, { sticky: 'session' }), {})), 'a')
    const logins = pool(['socks5h://x:1@a.test', 'socks5h://y:1@a.test'], { sticky: 'user' })
    const names = users.map(user => {
      const credentials = new Ways(logins, { user }).next(0)?.hops[0]?.credentials
      return typeof credentials === 'object' ? Buffer.from(credentials.reveal().username).toString() : ''
    })
    assert.deepEqual([...new Set(names)].toSorted(), ['x', 'y'])
  })
})

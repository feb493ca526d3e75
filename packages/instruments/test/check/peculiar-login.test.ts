/** Servers with ways of their own are accused of nothing but what they do: the cases about greeting, methods and logins. */
import assert from 'node:assert/strict'
import { type TestContext, suite, test } from 'node:test'
import { type CaseResult, chooseCases, parseProxyUrl, runCheck } from '@socksmith/instruments'
import { GENEROUS, LOOPBACK, RATE_PER_SECOND } from './rogue-proxy.ts'
import { openRogue } from './rogue/rogue.ts'
import type { RogueOptions } from './rogue/terms.ts'

const ALICE = { name: 'alice', password: 'Open sesame' }

/** The ids of the cases that failed, and of those that were not asked, of these areas. */
interface Judgement {
  readonly failed: readonly string[]
  readonly skipped: readonly string[]
}

async function judge(t: TestContext, areas: readonly string[], options: RogueOptions): Promise<Judgement> {
  const server = await openRogue(options)
  t.after(() => server.close())
  const { user } = options
  const login = user === undefined ? '' : `${user.name}:${encodeURIComponent(user.password)}@`
  const proxy = parseProxyUrl(`socks5://${login}127.0.0.1:${server.port}`)
  const cases = chooseCases(areas)
  assert.ok(typeof proxy !== 'string' && typeof cases !== 'string')
  // What is waited for in vain is the end of a connection, and silence.
  const timing = { ...GENEROUS, closeMs: 1_000 }
  const outcome = await runCheck({ proxy, proxyAddress: LOOPBACK, cases, timing, ratePerSecond: RATE_PER_SECOND })
  assert.ok(outcome.kind === 'report', JSON.stringify(outcome))
  const { results } = outcome.report
  return { failed: idsOf(results, 'fail'), skipped: idsOf(results, 'skip') }
}

function idsOf(results: readonly CaseResult[], kind: CaseResult['outcome']['kind']): readonly string[] {
  return results.filter(({ outcome }) => outcome.kind === kind).map(({ case: about }) => about.id)
}

suite('a server that', { concurrency: true }, () => {
  test('says status 0 to every login, and judges it together with the request, has the wrong status alone', async t => {
    const { failed, skipped } = await judge(t, ['login'], { user: ALICE, peculiarity: 'judges-at-request' })
    assert.deepEqual(failed, ['S5-LOG-10'])
    assert.deepEqual(skipped, ['S5-LOG-04', 'S5-LOG-11'])
  })

  test('ends the connection at a wrong login, without a status, lacks the status alone', async t => {
    const { failed, skipped } = await judge(t, ['login'], { user: ALICE, peculiarity: 'closes-on-wrong-login' })
    assert.deepEqual(failed, ['S5-LOG-10'])
    assert.deepEqual(skipped, ['S5-LOG-04'])
  })

  test('takes a method for private use of its own fails nothing', async t => {
    assert.deepEqual((await judge(t, ['greeting', 'methods'], { peculiarity: 'own-method' })).failed, [])
  })

  test('selects "no authentication" whatever is offered has selected wrongly, and done nothing after FF', async t => {
    const { failed, skipped } = await judge(t, ['S5-GRE', 'S5-MET'], { peculiarity: 'always-open' })
    assert.deepEqual(failed, ['S5-GRE-07', 'S5-MET-01', 'S5-MET-05'])
    // The last two are about users.
    assert.deepEqual(skipped, ['S5-MET-02', 'S5-MET-03', 'S5-MET-04', 'S5-MET-06', 'S5-MET-07'])
  })

  test('has a user without a password, or one as long as can be, is right, and is not asked what that leaves no way to ask', async t => {
    for (const [user, unasked] of [
      [{ name: 'token', password: '' }, ['S5-LOG-16', 'S5-LOG-17', 'S5-LOG-21']],
      [{ name: 'n'.repeat(255), password: 'secret' }, ['S5-LOG-19']],
      [{ name: 'alice', password: 'p'.repeat(255) }, ['S5-LOG-18', 'S5-LOG-20']],
    ] as const) {
      assert.deepEqual(await judge(t, ['login'], { user }), { failed: [], skipped: unasked })
    }
  })

  test('speaks SOCKS6 too, and waits for the rest of it, is right', async t => {
    assert.deepEqual((await judge(t, ['greeting'], { peculiarity: 'waits-for-socks6' })).failed, [])
  })
})

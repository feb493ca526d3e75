/**
 * A failure asked again, as "check replay" asks: for every case it is still there at the rogue that has its fault, and gone at
 * the one that was repaired.
 */
import assert from 'node:assert/strict'
import { type TestContext, suite, test } from 'node:test'
import {
  CASES,
  type Case,
  type ProxyPlace,
  type RecordedCase,
  TIMING,
  type Timing,
  type Verdict,
  casesOf,
  chooseFailures,
  parseProxyUrl,
  runCheck,
  verdictOn,
} from '@socksmith/instruments'
import { parseIp } from '@socksmith/protocol'
import { FAULT_OF, type Fault } from './rogue/faults.ts'
import { openRogue } from './rogue/rogue.ts'

const LOOPBACK = parseIp('127.0.0.1')
assert.ok(LOOPBACK)
const USER = { name: 'alice', password: 'Open sesame' }
const HANDSHAKE_MS = 400
const RATE_PER_SECOND = 10_000
/** Of a faulty server every wait is in vain. */
const SHORT: Timing = {
  ...TIMING,
  patienceMs: 300,
  loginMs: 300,
  quietMs: 50,
  closeMs: 300,
  dialMs: 300,
  silenceMs: 1_200,
  dribbleMs: 20,
}
/** A right one answers; only a slow machine makes it late. */
const GENEROUS: Timing = { ...SHORT, patienceMs: 10_000, loginMs: 10_000, closeMs: 10_000, dialMs: 10_000 }

async function proxyOf(t: TestContext, one: Case, fault?: Fault): Promise<ProxyPlace> {
  const isAuth = one.needs.includes('auth') || one.needs.includes('user')
  const server = await openRogue({
    ...(fault === undefined ? {} : { fault }),
    ...(one.isSlow === true ? { handshakeMs: HANDSHAKE_MS } : {}),
    ...(isAuth ? { user: USER } : {}),
  })
  t.after(() => server.close())
  const proxy = parseProxyUrl(`socks5://${isAuth ? 'alice:Open%20sesame@' : ''}127.0.0.1:${server.port}`)
  assert.ok(typeof proxy !== 'string')
  return proxy
}

const NO_TRANSCRIPT = { connections: [], events: [], targets: [] }

async function askAgain(one: Case, proxy: ProxyPlace, timing: Timing): Promise<Verdict> {
  assert.ok(LOOPBACK)
  const { run: _, ...about } = one
  const recorded = { case: about, outcome: { kind: 'fail', expected: '', got: '' }, transcript: NO_TRANSCRIPT } as const
  const options = { proxy, proxyAddress: LOOPBACK, timing, isSlow: true, ratePerSecond: RATE_PER_SECOND }
  const outcome = await runCheck({ ...options, cases: casesOf([recorded]) })
  return outcome.kind === 'report'
    ? verdictOn(recorded, outcome.report.results)
    : { kind: 'not-asked', reason: outcome.reason }
}

/** Nearly nothing but waits. */
const AT_ONCE = 8

suite('a failure asked again', { concurrency: AT_ONCE }, () => {
  // The suite's targets and its rogues share one host.
  const cases = CASES.filter(one => !one.needs.includes('elsewhere'))

  for (const one of cases) {
    test(`of ${one.id} is still there, and is not where it was repaired`, async t => {
      const faulty = await askAgain(one, await proxyOf(t, one, FAULT_OF[one.id as keyof typeof FAULT_OF]), SHORT)
      assert.equal(faulty.kind, 'fails')
      assert.deepEqual(await askAgain(one, await proxyOf(t, one), GENEROUS), { kind: 'passes' })
    })
  }

  test('is chosen by id, beginning, area and level, as cases are, of whichever version it is', () => {
    const [first] = CASES
    assert.ok(first)
    const failures = ['S5-UDP-05', 'S5-REQ-12', 'S7-XYZ-01'].map((id): RecordedCase => {
      const about = CASES.find(one => one.id === id) ?? { ...first, id, area: 'names', level: 'must' }
      return { case: about, outcome: { kind: 'pass' }, transcript: NO_TRANSCRIPT }
    })
    for (const [words, ids] of [
      [[], ['S5-UDP-05', 'S5-REQ-12', 'S7-XYZ-01']],
      [['udp'], ['S5-UDP-05']],
      [['must'], ['S5-REQ-12', 'S7-XYZ-01']],
      [
        ['s5-req', 'S7'],
        ['S5-REQ-12', 'S7-XYZ-01'],
      ],
      [['S7-XYZ-01', 'bind'], ['S7-XYZ-01']],
      [['S5-UDP-06'], []],
    ] as const) {
      assert.deepEqual(
        chooseFailures(failures, words).map(one => one.case.id),
        ids,
        words.join(','),
      )
    }
  })

  test('of an unknown case is not asked', () => {
    const [first] = CASES
    assert.ok(first)
    const unknown = {
      case: { ...first, id: 'S7-XYZ-01' },
      outcome: { kind: 'pass' },
      transcript: NO_TRANSCRIPT,
    } as const
    assert.deepEqual(casesOf([unknown]), [])
    assert.deepEqual(verdictOn(unknown, []), { kind: 'not-asked', reason: 'this version has no such case' })
  })
})

/**
 * A failure asked again, as "check replay" asks: for every case it is still there at the rogue that has its fault, and gone at
 * the one that was repaired.
 */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  CASES,
  type Case,
  type ProxyPlace,
  type RecordedCase,
  type Timing,
  type Verdict,
  casesOf,
  chooseFailures,
  runCheck,
  verdictOn,
} from '@socksmith/instruments'
import { GENEROUS, LONG, LOOPBACK, RATE_PER_SECOND, SHORT, rogueProxy } from './rogue-proxy.ts'
import { FAULT_OF } from './rogue/faults.ts'

const NO_TRANSCRIPT = { connections: [], events: [], targets: [] }

async function askAgain(one: Case, proxy: ProxyPlace, timing: Timing): Promise<Verdict> {
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
      const fault = FAULT_OF[one.id as keyof typeof FAULT_OF]
      const faulty = async (timing: Timing): Promise<string> =>
        (await askAgain(one, await rogueProxy(t, one, fault), timing)).kind
      assert.ok((await faulty(SHORT)) === 'fails' || (await faulty(LONG)) === 'fails')
      assert.deepEqual(await askAgain(one, await rogueProxy(t, one), GENEROUS), { kind: 'passes' })
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

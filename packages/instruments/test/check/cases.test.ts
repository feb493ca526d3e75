/** Every case of the suite is proved: it passes on a server that is right, and fails on one that has its fault. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { CASES, type Case, type CaseResult, type ProxyPlace, type Timing, runCheck } from '@socksmith/instruments'
import { Pace, type Surroundings } from '../../src/check/probe.ts'
import { runCase } from '../../src/check/run.ts'
import { type Targets, openTargets } from '../../src/check/targets.ts'
import { ALL_ABILITIES, LACK } from './abilities.ts'
import { GENEROUS, LONG, LOOPBACK, OUTSIDE_ADDRESS, RATE_PER_SECOND, SHORT, rogueProxy } from './rogue-proxy.ts'
import { FAULT_OF, type Fault } from './rogue/faults.ts'

suite('each case', () => {
  let targets: Targets

  before(async () => {
    targets = await openTargets(OUTSIDE_ADDRESS)
  })

  after(() => targets.close())

  test('has exactly one fault that it is for', () => {
    assert.deepEqual(
      CASES.map(one => one.id),
      Object.keys(FAULT_OF).toSorted((a, b) => indexOf(a) - indexOf(b)),
    )
  })

  for (const one of CASES) {
    const fault: Fault = FAULT_OF[one.id as keyof typeof FAULT_OF]
    test(`${one.id} passes on a right server, and fails on one that has the fault ${fault}`, async t => {
      const right = await run(one, targets, await rogueProxy(t, one), GENEROUS)
      assert.deepEqual(right.outcome, { kind: 'pass' }, 'the right server')
      const wrong = async (timing: Timing): Promise<string> =>
        (await run(one, targets, await rogueProxy(t, one, fault), timing)).outcome.kind
      assert.ok((await wrong(SHORT)) === 'fail' || (await wrong(LONG)) === 'fail', 'the wrong server')
    })
  }
})

/** No server on loopback is elsewhere: what the command would find out is said. */
function runElsewhere(one: Case, surroundings: Omit<Surroundings, 'abilities'>): Promise<CaseResult> {
  return runCase(one, { ...surroundings, abilities: { ...ALL_ABILITIES, auth: LACK } }, new Pace(RATE_PER_SECOND), true)
}

function indexOf(id: string): number {
  return CASES.findIndex(one => one.id === id)
}

/** By the way of the command, so that a fault that keeps a case from being asked shows here. */
async function run(one: Case, targets: Targets, proxy: ProxyPlace, timing: Timing): Promise<CaseResult> {
  if (one.needs.includes('elsewhere')) return runElsewhere(one, { proxy, proxyAddress: LOOPBACK, targets, timing })
  const asked = { proxy, proxyAddress: LOOPBACK, cases: [one], isSlow: true, timing, ratePerSecond: RATE_PER_SECOND }
  const outcome = await runCheck(asked)
  assert.ok(outcome.kind === 'report', JSON.stringify(outcome))
  const [result] = outcome.report.results
  assert.ok(result)
  return result
}

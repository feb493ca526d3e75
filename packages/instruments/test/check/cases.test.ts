/** Every case of the suite is proved: it passes on a server that is right, and fails on one that has its fault. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { CASES, type Case, type CaseResult, type Timing, parseProxyUrl, runCheck } from '@socksmith/instruments'
import { Pace, type Surroundings } from '../../src/check/probe.ts'
import { runCase } from '../../src/check/run.ts'
import { type Targets, openTargets } from '../../src/check/targets.ts'
import { parseIp } from '@socksmith/protocol'
import { ALL_ABILITIES, LACK } from './abilities.ts'
import { FAULT_OF, type Fault } from './rogue/faults.ts'
import { openRogue } from './rogue/rogue.ts'
import type { RogueOptions } from './rogue/terms.ts'

const USER = { name: 'alice', password: 'Open sesame' }
const HANDSHAKE_MS = 400
const RATE_PER_SECOND = 10_000

/** A right server never makes the suite wait; only the time limits of the server itself have to fit. */
const GENEROUS: Timing = {
  patienceMs: 10_000,
  loginMs: 10_000,
  quietMs: 50,
  closeMs: 10_000,
  dialMs: 10_000,
  silenceMs: 10_000,
  dribbleMs: 20,
}
/** A faulty server does, at each fault. */
const SHORT: Timing = { ...GENEROUS, patienceMs: 300, loginMs: 300, closeMs: 300, dialMs: 300, silenceMs: 1_200 }

const LOOPBACK = parseIp('127.0.0.1')

suite('each case', () => {
  let targets: Targets

  before(async () => {
    assert.ok(LOOPBACK)
    targets = await openTargets(LOOPBACK)
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
    test(`${one.id} passes on a right server, and fails on one that has the fault ${fault}`, async () => {
      const right = await run(one, targets, { handshakeMs: HANDSHAKE_MS }, GENEROUS)
      assert.deepEqual(right.outcome, { kind: 'pass' }, 'the right server')
      const wrong = await run(one, targets, { handshakeMs: HANDSHAKE_MS, fault }, SHORT)
      assert.equal(wrong.outcome.kind, 'fail', 'the wrong server')
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
async function run(one: Case, targets: Targets, rogue: RogueOptions, timing: Timing): Promise<CaseResult> {
  const isAuth = one.needs.includes('auth') || one.needs.includes('user')
  const isElsewhere = one.needs.includes('elsewhere')
  // Only for the cases about time: elsewhere a slow machine must not end a handshake.
  const handshakeMs = one.isSlow === true ? rogue.handshakeMs : undefined
  const server = await openRogue({
    ...(rogue.fault === undefined ? {} : { fault: rogue.fault }),
    ...(handshakeMs === undefined ? {} : { handshakeMs }),
    ...(isAuth ? { user: USER } : {}),
    isInsideClosed: isElsewhere,
  })
  const login = isAuth ? `${USER.name}:${encodeURIComponent(USER.password)}@` : ''
  const proxy = parseProxyUrl(`socks5://${login}127.0.0.1:${server.port}`)
  assert.ok(typeof proxy !== 'string' && LOOPBACK)
  try {
    if (isElsewhere) return await runElsewhere(one, { proxy, proxyAddress: LOOPBACK, targets, timing })
    const asked = { proxy, proxyAddress: LOOPBACK, cases: [one], isSlow: true, timing, ratePerSecond: RATE_PER_SECOND }
    const outcome = await runCheck(asked)
    assert.ok(outcome.kind === 'report', JSON.stringify(outcome))
    const [result] = outcome.report.results
    assert.ok(result)
    return result
  } finally {
    await server.close()
  }
}

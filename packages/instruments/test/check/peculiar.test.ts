/** What a server may do, or leave undone, without being accused of it; and what must not pass for its sake. */
import assert from 'node:assert/strict'
import { type TestContext, after, before, suite, test } from 'node:test'
import { type Abilities, CASES, type Outcome, type Timing } from '@socksmith/instruments'
import { parseIp } from '@socksmith/protocol'
import { Pace } from '../../src/check/probe.ts'
import { runCase } from '../../src/check/run.ts'
import { type Targets, openTargets } from '../../src/check/targets.ts'
import { ALL_ABILITIES, LACK } from './abilities.ts'
import { GENEROUS, OUTSIDE_ADDRESS, RATE_PER_SECOND, rogueProxy } from './rogue-proxy.ts'
import type { Fault, Peculiarity } from './rogue/faults.ts'

interface Way {
  readonly peculiarity?: Peculiarity
  readonly fault?: Fault
  readonly host?: string
}

const HERE: Abilities = { ...ALL_ABILITIES, auth: LACK, elsewhere: LACK }
const ELSEWHERE: Abilities = { ...ALL_ABILITIES, auth: LACK, here: LACK }

suite('a server', () => {
  let targets: Targets

  before(async () => {
    targets = await openTargets(OUTSIDE_ADDRESS)
  })

  after(() => targets.close())

  const ask = async (
    t: TestContext,
    id: string,
    way: Way,
    { abilities = HERE, timing = GENEROUS }: { readonly abilities?: Abilities; readonly timing?: Timing } = {},
  ): Promise<Outcome['kind']> => {
    const one = CASES.find(known => known.id === id) ?? assert.fail(id)
    const { fault, ...others } = way
    const proxy = await rogueProxy(t, one, fault, others)
    const surroundings = { proxy, proxyAddress: parseIp(proxy.host) ?? assert.fail(), targets, timing, abilities }
    return (await runCase(one, surroundings, new Pace(RATE_PER_SECOND), true)).outcome.kind
  }

  for (const { way, passes } of [
    {
      way: { peculiarity: 'bnd-is-localhost' },
      passes: ['S5-BND-04', 'S5-UDP-01', 'S5-UDP-08', 'S5-UDP-40', 'S5-BIN-01', 'S5-BIN-02', 'S5-BIN-10'],
    },
    {
      way: { peculiarity: 'bnd-is-mapped' },
      passes: ['S5-BND-01', 'S5-BND-02', 'S5-UDP-01', 'S5-UDP-40', 'S5-BIN-04', 'S5-BIN-10'],
    },
    // The clients that hinder others have an address of their own, and the limit is what protects the others.
    { way: { peculiarity: 'ten-of-one-address' }, passes: ['LIM-01', 'LIM-02'] },
  ] as const satisfies readonly { readonly way: Way; readonly passes: readonly string[] }[]) {
    test(`of which ${Object.values(way).join(' and ')} is not accused`, async t => {
      for (const id of passes) assert.equal(await ask(t, id, way), 'pass', id)
    })
  }

  test('that is slow carries what it carries', async t => {
    const timing = { ...GENEROUS, patienceMs: 500 }
    for (const id of ['S5-TUN-05', 'S5-TUN-06']) {
      assert.equal(await ask(t, id, { peculiarity: 'slow-tunnels' }, { timing }), 'pass', id)
    }
  })

  test('elsewhere is not accused of a datagram that was lost on the way', async t => {
    const timing = { ...GENEROUS, patienceMs: 500 }
    for (const id of ['S5-UDP-01', 'S5-UDP-51']) {
      const kind = await ask(t, id, { peculiarity: 'loses-one-datagram' }, { abilities: ELSEWHERE, timing })
      assert.equal(kind, 'pass', id)
    }
    assert.equal(await ask(t, 'S5-UDP-01', { peculiarity: 'loses-one-datagram' }, { timing }), 'fail')
    assert.equal(await ask(t, 'S5-UDP-51', { fault: 'udp-fragments-as-whole' }, { abilities: ELSEWHERE }), 'fail')
  })

  // No stranger of this host can write or come to ::1, and what never came was not sent away.
  for (const { fault, ids } of [
    { fault: 'udp-any-source', ids: ['S5-UDP-40'] },
    { fault: 'udp-first-sender', ids: ['S5-UDP-41'] },
    { fault: 'bind-any-peer', ids: ['S5-BIN-10', 'S5-BIN-11'] },
  ] as const) {
    test(`on ::1 that lets strangers in by ${fault} is not said to keep them out`, async t => {
      for (const id of ids) assert.equal(await ask(t, id, { fault, host: '::1' }), 'skip', id)
    })
  }

  for (const { way, verdicts } of [
    {
      // What it says of a port where nobody listens, it says of itself and of its network.
      way: { peculiarity: 'failures-are-04', fault: 'inside-loopback' },
      verdicts: { 'INS-01': 'skip' },
    },
    { way: { peculiarity: 'failures-are-04', fault: 'inside-by-name' }, verdicts: { 'INS-02': 'skip' } },
    { way: { peculiarity: 'failures-are-04', fault: 'inside-private' }, verdicts: { 'INS-07': 'skip' } },
    { way: { peculiarity: 'failures-are-04' }, verdicts: { 'INS-01': 'pass', 'INS-02': 'pass', 'INS-07': 'pass' } },
    { way: { peculiarity: 'ten-of-one-address' }, verdicts: { 'LIM-01': 'skip', 'LIM-02': 'skip' } },
    // Behind NAT it cannot know how the target sees it; another host's address is wrong also there.
    { way: { peculiarity: 'bnd-is-inner' }, verdicts: { 'S5-BND-01': 'pass', 'S5-BND-02': 'skip' } },
    { way: { fault: 'bnd-is-target' }, verdicts: { 'S5-BND-01': 'fail' } },
    { way: { peculiarity: 'rules-end-without-reply' }, verdicts: { 'INS-01': 'pass', 'INS-07': 'skip' } },
  ] as const satisfies readonly { readonly way: Way; readonly verdicts: Readonly<Record<string, Outcome['kind']>> }[]) {
    test(`elsewhere of which ${Object.values(way).join(' and ')}`, async t => {
      for (const [id, verdict] of Object.entries(verdicts)) {
        assert.equal(await ask(t, id, way, { abilities: ELSEWHERE }), verdict, id)
      }
    })
  }
})

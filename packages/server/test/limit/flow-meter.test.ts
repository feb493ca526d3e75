/** What flows may carry: as much as their limits say together, in equal parts, over all threads, to the last octet. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IdleWheel } from '@socksmith/engine'
import type { Limit, LimitAmounts } from '@socksmith/policy'
import { Ledger, createLedgerMemory } from '@socksmith/server'
import { VirtualClock } from '../../../engine/test/virtual-clock.ts'
import { accountKey } from '../../src/limit/account-key.ts'
import { Counting } from '../../src/limit/counting.ts'
import { FlowMeter } from '../../src/limit/flow-meter.ts'

const SPEED = { octetsPerSecond: 100_000, burstOctets: 10_000 }
const DAY = { every: 'day', zone: 'UTC', minute: 0 } as const

function limit(name: string, amounts: LimitAmounts): Limit {
  return { name, place: { file: 'policy.yaml', line: 1 }, per: ['all'], amounts, text: name }
}

/** Threads that count together. */
function threads(clock: VirtualClock, count: number): readonly Counting[] {
  const memory = createLedgerMemory(count, 64)
  return Array.from({ length: count }, (_, index) => {
    const ledger = new Ledger(
      memory,
      index,
      () => clock.monotonicMs(),
      () => clock.wallMs(),
    )
    return new Counting(clock, new IdleWheel(clock), 10, ledger)
  })
}

/** A flow that carries whatever it may, at most `wanted` at once. */
class Greedy {
  carried = 0
  readonly meter: FlowMeter
  readonly usedUp: string[] = []

  constructor(counting: Counting, limits: readonly Limit[], wanted = 65_536) {
    const metered = limits.map(one => {
      const entered = counting.ledger.enter(accountKey(one.name), Infinity)
      assert.ok('account' in entered)
      return { limit: one, account: entered.account }
    })
    this.meter = new FlowMeter(counting, false, metered, ({ name }) => this.usedUp.push(name))
    this.meter.onReady = () => queueMicrotask(() => this.carry(wanted))
    this.carry(wanted)
  }

  carry(wanted: number): void {
    for (let taken = this.meter.take(wanted); taken > 0; taken = this.meter.take(wanted)) this.carried += taken
  }
}

test('a flow carries its burst at once, and then exactly its bandwidth', async () => {
  const clock = new VirtualClock()
  const [counting] = threads(clock, 1)
  assert.ok(counting)
  const flow = new Greedy(counting, [limit('slow', { bandwidth: { down: SPEED } })])
  assert.equal(flow.carried, 10_000)
  await clock.advance(10_000)
  // What has filled in since the last turn is still to be had.
  assert.ok(flow.carried >= 1_005_000 && flow.carried <= 1_010_000, `${flow.carried}`)
})

test('flows of one account have equal parts, of one thread as of several', async () => {
  const clock = new VirtualClock()
  const all = threads(clock, 2)
  const slow = limit('slow', { bandwidth: { down: SPEED } })
  // One in the first thread, five in the second one.
  const flows = [0, 1, 1, 1, 1, 1].map(thread => new Greedy(all[thread] as Counting, [slow]))
  await clock.advance(20_000)
  const carried = flows.map(flow => flow.carried)
  const sum = carried.reduce((one, other) => one + other, 0)
  assert.ok(sum > 1_900_000 && sum <= 2_010_000, `${sum}`)
  for (const one of carried) assert.ok(Math.abs(one - sum / 6) < sum / 6 / 10, carried.join(' '))
})

test('a flow that has little to say is not held up by greedy ones, and leaves them the rest', async () => {
  const clock = new VirtualClock()
  const [counting] = threads(clock, 1)
  assert.ok(counting)
  const slow = limit('slow', { bandwidth: { down: SPEED } })
  const greedy = new Greedy(counting, [slow])
  const modest = new Greedy(counting, [slow], 0)
  let asked = 0
  for (let i = 0; i < 100; i++) {
    asked += 100
    // It has 100 octets every tenth of a second, and takes them as soon as it may.
    modest.meter.onReady = () => (modest.carried += modest.meter.take(asked - modest.carried))
    modest.carried += modest.meter.take(asked - modest.carried)
    await clock.advance(100)
  }
  assert.equal(modest.carried, asked)
  assert.ok(greedy.carried > 970_000, `${greedy.carried}`)
})

test('all limits of a flow hold, and what one refuses is not taken of the others', async () => {
  const clock = new VirtualClock()
  const [counting] = threads(clock, 1)
  assert.ok(counting)
  const wide = limit('wide', { bandwidth: { down: { octetsPerSecond: 150_000, burstOctets: 15_000 } } })
  const narrow = limit('narrow', { bandwidth: { down: SPEED } })
  const both = new Greedy(counting, [wide, narrow])
  const other = new Greedy(counting, [wide])
  await clock.advance(10_000)
  assert.ok(both.carried + other.carried > 1_480_000 && both.carried + other.carried <= 1_515_000)
  assert.ok(both.carried > 680_000 && both.carried <= 1_010_000, `${both.carried} ${other.carried}`)
})

test('octets of a period are carried to the last one, and told when they are used up', async () => {
  const clock = new VirtualClock()
  const all = threads(clock, 2)
  const quota = limit('day', { octets: { total: 100_001, period: DAY } })
  const flows = all.map(counting => new Greedy(counting, [quota], 7))
  assert.equal(
    flows.reduce((sum, flow) => sum + flow.carried, 0),
    100_001,
  )
  assert.deepEqual(flows[1]?.usedUp, ['day'])
  await clock.advance(86_400_000)
  flows[0]?.carry(7)
  assert.equal(flows[0]?.carried, 200_002)
})

test('what was carried without asking is made up', async () => {
  const clock = new VirtualClock()
  const [counting] = threads(clock, 1)
  assert.ok(counting)
  const flow = new Greedy(counting, [limit('slow', { bandwidth: { down: SPEED } })], 0)
  let ready = 0
  flow.meter.onReady = () => ready++
  assert.equal(flow.meter.spend(9_000), true)
  assert.equal(flow.meter.spend(101_000), false)
  await clock.advance(990)
  assert.equal(ready, 0)
  await clock.advance(60)
  assert.equal(ready, 1)
})

test('datagrams are dropped when there are too many or they are too much, and a large one passes at last', async () => {
  const clock = new VirtualClock()
  const [counting] = threads(clock, 1)
  assert.ok(counting)
  const few = new Greedy(counting, [limit('few', { datagrams: { count: 3, perMs: 1_000 } })], 0)
  const passed = (flow: Greedy, octets: number, count: number): number =>
    Array.from({ length: count }, () => flow.meter.takeDatagram(octets)).filter(Boolean).length
  assert.equal(passed(few, 10, 10), 3)
  await clock.advance(1_000)
  assert.equal(passed(few, 10, 10), 3)
  const slow = new Greedy(counting, [limit('slow', { bandwidth: { down: SPEED } })], 0)
  assert.equal(passed(slow, 1_000, 20), 10)
  await clock.advance(1_000)
  assert.equal(passed(slow, 60_000, 1), 1, 'larger than the burst')
  assert.equal(passed(slow, 10, 1), 0)
  await clock.advance(1_000)
  assert.equal(passed(slow, 10, 1), 1)
})

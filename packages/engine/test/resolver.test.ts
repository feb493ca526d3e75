/** The caching resolver, with a look-up that a test answers and a clock that it owns. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failure } from '@socksmith/protocol'
import { ADDRESSES_MAX, createCachingResolver, LOOKUPS_WAITING_MAX } from '../src/resolver.ts'
import type { CachingResolverOptions, Resolution, Resolver } from '../src/resolver.ts'
import { endpoint } from './contract/scene.ts'
import { VirtualClock } from './virtual-clock.ts'

const ADDRESS = endpoint('192.0.2.1', 0).address

/** A resolver whose look-ups wait until the test answers them. */
class Scene {
  readonly clock = new VirtualClock()
  /** Names that were looked up, in order. */
  readonly asked: string[] = []
  readonly #answers = new Map<string, (resolution: Resolution) => void>()
  readonly resolver: Resolver

  constructor(options: Partial<CachingResolverOptions> = {}) {
    this.resolver = createCachingResolver({
      lookup: name => {
        this.asked.push(name)
        return new Promise(resolve => this.#answers.set(name, resolve))
      },
      clock: this.clock,
      positiveTtlMs: 60_000,
      negativeTtlMs: 5_000,
      entriesMax: 100,
      concurrentMax: 10,
      timeoutMs: 8_000,
      ...options,
    })
  }

  ask(name: string): { value?: Resolution } {
    const seen: { value?: Resolution } = {}
    void this.resolver.resolve(name).then(value => (seen.value = value))
    return seen
  }

  async answer(name: string, resolution: Resolution = [ADDRESS]): Promise<void> {
    const answer = this.#answers.get(name)
    assert.ok(answer, `${name} was not asked for`)
    answer(resolution)
    await this.clock.advance(0)
  }
}

function codeOf(resolution: Resolution | undefined): string | undefined {
  return resolution && 'code' in resolution ? resolution.code : undefined
}

test('an address answers itself, without a look-up', async () => {
  const scene = new Scene()
  assert.deepEqual(await scene.resolver.resolve('192.0.2.1'), [ADDRESS])
  assert.deepEqual(await scene.resolver.resolve('2001:db8::1'), [endpoint('2001:db8::1', 0).address])
  assert.deepEqual(scene.asked, [])
})

test('what other programs would read as an address is neither name nor address', async () => {
  const scene = new Scene()
  for (const name of [
    '127.1',
    '0x7f.1',
    '0x7f000001',
    '2130706433',
    '0177.0.0.1',
    '127.0.0.1.',
    '１２７.0.0.1',
    '',
    'a\0b',
    '[::1]',
  ]) {
    assert.equal(codeOf(await scene.resolver.resolve(name)), 'name_not_found', name)
  }
  assert.deepEqual(scene.asked, [])
})

test('a name is asked for in its ASCII form, lower case, and cached under it', async () => {
  const scene = new Scene()
  scene.ask('BÜCHER.example')
  await scene.answer('xn--bcher-kva.example')
  assert.deepEqual(await scene.resolver.resolve('bücher.EXAMPLE'), [ADDRESS])
  assert.deepEqual(scene.asked, ['xn--bcher-kva.example'])
  scene.ask('_service.example')
  await scene.answer('_service.example')
})

test('addresses are kept for their time, failures for a shorter one', async () => {
  const scene = new Scene()
  scene.ask('good.example')
  scene.ask('bad.example')
  await scene.answer('good.example')
  await scene.answer('bad.example', failure('name_not_found', 'target'))
  await scene.clock.advance(4_999)
  assert.equal(codeOf(await scene.resolver.resolve('bad.example')), 'name_not_found')
  assert.equal(scene.asked.length, 2)
  await scene.clock.advance(1)
  scene.ask('bad.example')
  await scene.clock.advance(54_999)
  assert.deepEqual(await scene.resolver.resolve('good.example'), [ADDRESS])
  await scene.clock.advance(1)
  scene.ask('good.example')
  await scene.clock.advance(0)
  assert.deepEqual(scene.asked, ['good.example', 'bad.example', 'bad.example', 'good.example'])
})

test('no address is a failure, and of very many only some are kept', async () => {
  const scene = new Scene()
  const [none, many] = [scene.ask('none.example'), scene.ask('many.example')]
  await scene.answer('none.example', [])
  await scene.answer('many.example', new Array(1000).fill(ADDRESS))
  assert.equal(codeOf(none.value), 'name_not_found')
  assert.equal(Array.isArray(many.value) && many.value.length, ADDRESSES_MAX)
})

test('those who ask at the same time share one look-up', async () => {
  const scene = new Scene()
  const both = [scene.ask('a.example'), scene.ask('A.example')]
  await scene.answer('a.example')
  assert.deepEqual(
    both.map(one => one.value),
    [[ADDRESS], [ADDRESS]],
  )
  assert.deepEqual(scene.asked, ['a.example'])
})

test('the cache forgets what was asked for longest ago', async () => {
  const scene = new Scene({ entriesMax: 2 })
  for (const name of ['a.example', 'b.example']) {
    scene.ask(name)
    await scene.answer(name)
  }
  await scene.resolver.resolve('a.example')
  scene.ask('c.example')
  await scene.answer('c.example')
  await scene.resolver.resolve('a.example')
  assert.equal(scene.asked.length, 3)
  scene.ask('b.example')
  await scene.clock.advance(0)
  assert.equal(scene.asked.length, 4)
})

test('look-ups at the same time are bounded; the others wait for their turn', async () => {
  const scene = new Scene({ concurrentMax: 2 })
  const seen = ['a.example', 'b.example', 'c.example'].map(name => scene.ask(name))
  await scene.clock.advance(0)
  assert.deepEqual(scene.asked, ['a.example', 'b.example'])
  await scene.answer('a.example')
  assert.deepEqual(scene.asked, ['a.example', 'b.example', 'c.example'])
  await scene.answer('c.example')
  await scene.answer('b.example')
  assert.ok(seen.every(one => Array.isArray(one.value)))
  assert.equal(scene.clock.pending, 0)
})

test('more than the queue holds is refused at once', async () => {
  const scene = new Scene({ concurrentMax: 1 })
  for (let i = 0; i <= LOOKUPS_WAITING_MAX; i++) scene.ask(`n${i}.example`)
  const refused = scene.ask('one-too-many.example')
  await scene.clock.advance(0)
  assert.equal(codeOf(refused.value), 'too_busy')
  assert.equal(scene.asked.length, 1)
})

test('one who asks waits no longer than the limit, the queue included; a late answer is kept for the next', async () => {
  const scene = new Scene({ concurrentMax: 1 })
  const [first, second] = [scene.ask('slow.example'), scene.ask('queued.example')]
  await scene.clock.advance(7_999)
  assert.deepEqual([first.value, second.value], [undefined, undefined])
  await scene.clock.advance(1)
  assert.deepEqual([codeOf(first.value), codeOf(second.value)], ['name_timed_out', 'name_timed_out'])
  assert.deepEqual(scene.asked, ['slow.example'], 'the look-up itself still holds its turn')
  await scene.answer('slow.example')
  assert.deepEqual(await scene.resolver.resolve('slow.example'), [ADDRESS])
  assert.deepEqual(scene.asked, ['slow.example'], 'nobody waits for the queued one any more')
})

test('a place in the queue is for as long as somebody waits: a storm of names is no obstacle for the next', async () => {
  const scene = new Scene({ concurrentMax: 1 })
  for (let i = 0; i <= LOOKUPS_WAITING_MAX; i++) scene.ask(`n${i}.example`)
  await scene.clock.advance(7_000)
  const again = scene.ask('n2.example')
  await scene.clock.advance(1_000)
  const next = scene.ask('next.example')
  await scene.clock.advance(0)
  assert.equal(next.value, undefined)
  assert.equal(codeOf(scene.ask('n0.example').value), undefined)
  await scene.answer('n0.example')
  assert.deepEqual(scene.asked, ['n0.example', 'n2.example'])
  await scene.answer('n2.example')
  assert.deepEqual(again.value, [ADDRESS])
  assert.deepEqual(scene.asked, ['n0.example', 'n2.example', 'next.example'])
  await scene.answer('next.example')
  assert.deepEqual(next.value, [ADDRESS])
})

test('a name whose place was given up is asked for anew', async () => {
  const scene = new Scene({ concurrentMax: 1 })
  for (const name of ['slow.example', 'queued.example']) scene.ask(name)
  await scene.clock.advance(8_000)
  await scene.answer('slow.example')
  const anew = scene.ask('queued.example')
  await scene.answer('queued.example')
  assert.deepEqual(anew.value, [ADDRESS])
})

test('a look-up that throws is a bug that is told, and does not block the next', async () => {
  const clock = new VirtualClock()
  let calls = 0
  const resolver = createCachingResolver({
    lookup: () => (calls++ === 0 ? Promise.reject(new Error('bug')) : Promise.resolve([ADDRESS])),
    clock,
    positiveTtlMs: 0,
    negativeTtlMs: 0,
    entriesMax: 1,
    concurrentMax: 1,
    timeoutMs: 1_000,
  })
  await assert.rejects(resolver.resolve('a.example'), /bug/)
  assert.deepEqual(await resolver.resolve('a.example'), [ADDRESS])
})

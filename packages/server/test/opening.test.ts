/** What is opened when it is needed first: once, after a failure later once more, and closed with its owner. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Failure, failure } from '@socksmith/protocol'
import { VirtualClock } from '../../engine/test/virtual-clock.ts'
import { Admission } from '../src/admission.ts'
import { Opening } from '../src/opening.ts'
import { DEFAULT_LIMITS } from '../src/options.ts'
import { createTally } from '../src/tally.ts'

class Thing {
  isClosed = false
  close(): void {
    this.isClosed = true
  }
}

function scene(answers: readonly (Thing | Failure | Promise<Thing>)[], descriptorsMax = Infinity) {
  const [clock, tally] = [new VirtualClock(), createTally()]
  const admission = new Admission(DEFAULT_LIMITS, { clock, descriptorsMax }, tally, () => {})
  let asked = 0
  const open = (): Promise<Thing | Failure> => Promise.resolve(answers[asked++] ?? failure('general_failure', 'us'))
  const opening = new Opening<Thing>({ clock, admission }, open)
  return { clock, opening, admission, asked: () => asked, taken: () => tally.count('descriptors') }
}

test('it is opened once, holds one descriptor, and gives it back', async () => {
  const thing = new Thing()
  const { opening, asked, taken } = scene([thing])
  assert.equal(opening.opened, undefined)
  assert.deepEqual(await Promise.all([opening.whenOpen(), opening.whenOpen()]), [thing, thing])
  assert.deepEqual([opening.opened, asked(), taken()], [thing, 1, 1])
  opening.close()
  opening.close()
  assert.deepEqual([thing.isClosed, opening.opened, taken()], [true, undefined, 0])
})

test('a failure is the answer for a second; then it is tried again', async () => {
  const [why, thing] = [failure('too_busy', 'us'), new Thing()]
  const { clock, opening, asked, taken } = scene([why, thing])
  assert.equal(await opening.whenOpen(), why)
  await clock.advance(999)
  assert.equal(await opening.whenOpen(), why)
  assert.deepEqual([asked(), taken()], [1, 0])
  await clock.advance(1)
  assert.equal(await opening.whenOpen(), thing)
  await clock.advance(10_000)
  assert.equal(await opening.whenOpen(), thing)
  assert.deepEqual([asked(), taken()], [2, 1])
})

test('without a descriptor nothing is opened', async () => {
  const { clock, opening, admission, asked } = scene([new Thing()], 0)
  assert.ok(admission.takeDescriptor() && admission.takeDescriptor())
  const told = await opening.whenOpen()
  assert.ok('code' in told && told.code === 'too_busy')
  assert.equal(asked(), 0)
  admission.giveBack('descriptors')
  await clock.advance(1_000)
  assert.ok((await opening.whenOpen()) instanceof Thing)
})

test('what opens after the end is closed at once', async () => {
  const { promise, resolve } = Promise.withResolvers<Thing>()
  const { opening, taken } = scene([promise])
  const told = opening.whenOpen()
  assert.equal(taken(), 1)
  opening.close()
  const thing = new Thing()
  resolve(thing)
  assert.deepEqual(await told, failure('aborted', 'us'))
  assert.deepEqual([thing.isClosed, opening.opened, taken()], [true, undefined, 0])
})

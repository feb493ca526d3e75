/** Accounts hold for all threads together, keep what is to be remembered, and forget the rest. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { FAILURE_NUMBERS, Ledger, createLedgerMemory, forgetLedgerThread } from '@socksmith/server'
import { accountKey } from '../../src/limit/account-key.ts'
import { BUCKET, keyOfText, keyText } from '../../src/limit/ledger.ts'

class Clock {
  nowMs = 0
  readonly monotonic = (): number => this.nowMs
  readonly wall = (): number => 1_000_000_000 + this.nowMs
}

function ledgers(
  threads: number,
  accounts: number,
  clock = new Clock(),
): { ledgers: Ledger[]; forget: (n: number) => void } {
  const memory = createLedgerMemory(threads, accounts)
  return {
    ledgers: Array.from({ length: threads }, (_, index) => new Ledger(memory, index, clock.monotonic, clock.wall)),
    forget: thread => forgetLedgerThread(memory, thread),
  }
}

const key = (name: string): Int32Array => accountKey(name)

const room = ({ up, down }: { readonly up: number; readonly down: number }): number => 100 - up - down

function entered(ledger: Ledger | undefined, name: string, most = Infinity): number {
  const result = ledger?.enter(key(name), most)
  assert.ok(result !== undefined && 'account' in result, JSON.stringify(result))
  return result.account
}

test('so many hold an account as are allowed, whichever thread they are of', () => {
  const { ledgers: all, forget } = ledgers(2, 16)
  const [one, two] = all
  const account = entered(one, 'a', 2)
  assert.equal(entered(two, 'a', 2), account)
  assert.deepEqual(one?.enter(key('a'), 2), { refused: 'held' })
  two?.leave(account)
  entered(two, 'a', 2)
  assert.equal(one?.held(account), 2)
  forget(1)
  assert.equal(one?.held(account), 1)
})

test('accounts of failed logins have few numbers, and count and forget as others do', () => {
  const clock = new Clock()
  const ledger = new Ledger(createLedgerMemory(1, 4, FAILURE_NUMBERS), 0, clock.monotonic, clock.wall)
  const filling = { perMs: 0.01, most: 10 }
  const add = (name: string, failures: number): number => {
    const account = entered(ledger, name)
    const left = ledger.spendAndTell(account, BUCKET.failures, filling, failures)
    ledger.leave(account)
    return left
  }
  // Neighbours in the memory: what one counts is nothing to the other.
  const counts = ['a', 'b', 'c', 'd'].map((name, index) => add(name, index + 1))
  assert.deepEqual(counts, [9, 8, 7, 6])
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map(name => add(name, 0)),
    [9, 8, 7, 6],
  )
  assert.deepEqual(ledger.enter(key('e'), Infinity), { refused: 'full' })
  clock.nowMs = 2_000
  assert.equal(add('e', 1), 9)
})

test('accounts are found whatever came and went before, as in a plain map', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(11)), { maxLength: 300 })
  fc.assert(
    fc.property(steps, all => {
      const { ledgers: shared } = ledgers(1, 16)
      const [ledger] = shared
      const plain = new Map<string, number[]>()
      for (const [isEnter, n] of all) {
        const name = `name ${n}`
        const held = plain.get(name) ?? []
        plain.set(name, held)
        if (isEnter) {
          const account = entered(ledger, name)
          if (held.length > 0) assert.equal(account, held[0])
          held.push(account)
        } else if (held.length > 0) ledger?.leave(held.pop() as number)
        if (held.length > 0) assert.equal(ledger?.held(held[0] as number), held.length)
      }
      const living = [...plain.values()].flatMap(held => held.slice(0, 1))
      assert.equal(new Set(living).size, living.length, 'no two names have one account')
    }),
  )
})

test('a bucket begins full, fills with time, and what is owed fills first', () => {
  const clock = new Clock()
  const { ledgers: all } = ledgers(2, 16, clock)
  const [one, two] = all
  const account = entered(one, 'a')
  const filling = { perMs: 2, most: 100 }
  assert.equal(one?.take(account, BUCKET.up, filling, 60, 1), 60)
  assert.equal(two?.take(account, BUCKET.up, filling, 60, 60), 0, 'only 40 are left')
  assert.equal(two?.take(account, BUCKET.up, filling, 60, 1), 40)
  clock.nowMs = 10
  assert.equal(one?.take(account, BUCKET.up, filling, 60, 1), 20)
  assert.equal(one?.spend(account, BUCKET.up, filling, 30), false)
  clock.nowMs = 20
  assert.equal(one?.take(account, BUCKET.up, filling, 60, 1), 0)
  clock.nowMs = 40
  assert.equal(one?.take(account, BUCKET.up, filling, 60, 1), 30)
  // The other direction has its own.
  assert.equal(one?.take(account, BUCKET.down, filling, 100, 100), 100)
})

test('octets are counted to the last one, and anew in the next period', () => {
  const { ledgers: all } = ledgers(2, 16)
  const [one, two] = all
  const account = entered(one, 'a')
  assert.equal(one?.countOctets(account, true, 5_000, 70, room), 70)
  assert.equal(two?.countOctets(account, false, 5_000, 70, room), 30)
  assert.equal(two?.countOctets(account, false, 5_000, -10, room), -10)
  assert.deepEqual(one?.octets(account, 5_000), { up: 70, down: 20, periodEndMs: 5_000 })
  assert.equal(one?.countOctets(account, true, 6_000, 70, room), 70)
  assert.deepEqual(two?.octets(account, 6_000), { up: 70, down: 0, periodEndMs: 6_000 })
})

test('what has changed is told once, and restored by another ledger', () => {
  const { ledgers: all } = ledgers(1, 16)
  const [before] = all
  const account = entered(before, 'a')
  before?.countOctets(account, true, 2_000_000_000, 70, () => Infinity)
  const told: string[] = []
  const { ledgers: others } = ledgers(1, 16)
  const [after] = others
  before?.changedOctets((changed, octets) => {
    const text = keyText(changed)
    told.push(text)
    const back = keyOfText(text)
    assert.ok(back !== undefined && after?.restore(back, octets))
  })
  before?.changedOctets(changed => told.push(keyText(changed)))
  assert.deepEqual(told, [keyText(key('a'))])
  assert.deepEqual(after?.octets(entered(after, 'a'), 2_000_000_000), { up: 70, down: 0, periodEndMs: 2_000_000_000 })
})

test('a full ledger makes room where nothing is to be remembered, and refuses where something is', () => {
  const clock = new Clock()
  const { ledgers: all } = ledgers(1, 4, clock)
  const [ledger] = all
  assert.ok(ledger)
  const rate = { perMs: 0.001, most: 10 }
  for (const name of ['a', 'b', 'c', 'd']) {
    const account = entered(ledger, name)
    ledger.take(account, BUCKET.newSessions, rate, 1, 1)
    ledger.leave(account)
  }
  assert.deepEqual(ledger.enter(key('e'), 1), { refused: 'full' })
  assert.ok('account' in ledger.enter(key('d'), 1), 'who is known already goes on')
  clock.nowMs = 2_000
  assert.ok('account' in ledger.enter(key('e'), 1))
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Place } from '@socksmith/engine'
import { createAuthenticator } from '../../src/users/authenticator.ts'
import { type PasswordHash, unknowableHash } from '../../src/users/password.ts'
import type { Secret } from '../../src/users/secret.ts'
import type { Users } from '../../src/users/users-file.ts'

const CLIENT: Place = { kind: 'unix', path: '' }

/** An authenticator whose hashes are answered by the test, one after the other. */
function setup(names: readonly string[]) {
  const state = {
    users: new Map(names.map(name => [name, unknowableHash()])) as Users,
    now: 0,
    asked: [] as { password: string; hash: PasswordHash; answer(right: boolean): void; fail(): void }[],
  }
  const authenticate = createAuthenticator({
    users: () => state.users,
    now: () => state.now,
    verify: (password: Secret, hash) =>
      new Promise((resolve, reject) => {
        state.asked.push({
          password: Buffer.from(password.reveal()).toString(),
          hash,
          answer: resolve,
          fail: () => reject(new Error('no memory')),
        })
      }),
  })
  const logIn = (name: string | Uint8Array, password: string): Promise<string | undefined> =>
    authenticate({ username: Buffer.from(name), password: Buffer.from(password) }, CLIENT, 'clean')
  return { state, logIn }
}

const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('an unknown user costs a hash like a known one, and never gets in, whatever the hash says', async () => {
  const { state, logIn } = setup(['alice'])
  const known = logIn('alice', 'wrong')
  const unknown = logIn('mallory', 'wrong')
  await settled()
  assert.equal(state.asked.length, 2)
  assert.deepEqual(state.asked[0]?.hash.cost, state.asked[1]?.hash.cost)
  state.asked[0]?.answer(false)
  state.asked[1]?.answer(true)
  assert.equal(await known, undefined)
  assert.equal(await unknown, undefined)
})

test('a stranger costs as much as some user does, the same name always the same, however the hashes were made', async () => {
  const { state, logIn } = setup([])
  const cheap = { memoryKib: 8, passes: 1, lanes: 1 }
  state.users = new Map([
    ['alice', unknowableHash()],
    ['bob', unknowableHash(cheap)],
  ])
  const costs = async (name: string): Promise<number> => {
    void logIn(name, String(state.asked.length))
    await settled()
    const asked = state.asked.at(-1)
    asked?.answer(false)
    await settled()
    return asked?.hash.cost.memoryKib ?? 0
  }
  const names = Array.from({ length: 64 }, (_, index) => `nobody${index}`)
  const [first, again]: [number[], number[]] = [[], []]
  for (const name of names) first.push(await costs(name))
  for (const name of names) again.push(await costs(name))
  assert.deepEqual(new Set(first), new Set([unknowableHash().cost.memoryKib, cheap.memoryKib]))
  assert.deepEqual(again, first)
})

test('a right login is remembered for a minute, a wrong one is not', async () => {
  const { state, logIn } = setup(['alice'])
  const wrong = logIn('alice', 'wrong')
  await settled()
  state.asked[0]?.answer(false)
  assert.equal(await wrong, undefined)
  const right = logIn('alice', 'right')
  await settled()
  state.asked[1]?.answer(true)
  assert.equal(await right, 'alice')
  state.now = 59_999
  assert.equal(await logIn('alice', 'right'), 'alice')
  assert.equal(state.asked.length, 2)
  void logIn('alice', 'wrong')
  state.now = 60_000
  void logIn('alice', 'right')
  await settled()
  assert.equal(state.asked.length, 4)
})

test('name and password cannot be shifted against each other', async () => {
  const { state, logIn } = setup(['a'])
  const right = logIn('a', '\0b')
  await settled()
  state.asked[0]?.answer(true)
  assert.equal(await right, 'a')
  void logIn('a\0', 'b')
  void logIn('', 'a\0b')
  await settled()
  assert.equal(state.asked.length, 3)
})

test('when the users change, nothing is remembered, not even what was under way', async () => {
  const { state, logIn } = setup(['alice', 'bob'])
  const done = logIn('alice', 'right')
  const underWay = logIn('bob', 'right')
  await settled()
  state.asked[0]?.answer(true)
  await done
  state.users = new Map([['alice', unknowableHash()]])
  const again = logIn('alice', 'right')
  await settled()
  assert.equal(state.asked.length, 3)
  state.asked[2]?.answer(false)
  assert.equal(await again, undefined)
  state.asked[1]?.answer(true)
  await underWay
  const gone = logIn('bob', 'right')
  await settled()
  assert.equal(state.asked.length, 4)
  state.asked[3]?.answer(true)
  assert.equal(await gone, undefined)
})

test('the same login in flight is hashed once; two hashes run at once; a failure lets the next one run', async () => {
  const { state, logIn } = setup(['alice'])
  const same = [logIn('alice', 'x'), logIn('alice', 'x')]
  const others = ['1', '2', '3'].map(password => logIn('alice', password))
  await settled()
  assert.deepEqual(
    state.asked.map(one => one.password),
    ['x', '1'],
  )
  state.asked[0]?.answer(true)
  assert.deepEqual(await Promise.all(same), ['alice', 'alice'])
  state.asked[1]?.fail()
  assert.equal(await others[0], undefined)
  await settled()
  assert.deepEqual(
    state.asked.map(one => one.password),
    ['x', '1', '2', '3'],
  )
  state.asked[2]?.answer(false)
  state.asked[3]?.answer(false)
  await Promise.all(others)
})

test('an overfull queue refuses at once', async () => {
  const { state, logIn } = setup(['alice'])
  const first = Array.from({ length: 1_002 }, (_, index) => logIn('alice', `guess ${index}`))
  await settled()
  assert.equal(await logIn('alice', 'right'), undefined)
  for (let index = 0; index < first.length; index++) {
    state.asked[index]?.answer(false)
    await settled()
  }
  assert.deepEqual(new Set(await Promise.all(first)), new Set([undefined]))
})

test('a name that is not UTF-8 is an unknown user', async () => {
  const { state, logIn } = setup(['\uFFFD'])
  const answer = logIn(Uint8Array.of(0xff), 'x')
  await settled()
  state.asked[0]?.answer(true)
  assert.equal(await answer, undefined)
})

/** What the guard of logins does where many logins are under way at once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Place } from '@socksmith/engine'
import { type Ban, BanList, DEFAULT_LOGIN, subjectText } from '@socksmith/server'
import { VirtualClock } from '../../../engine/test/virtual-clock.ts'
import { ownLedger } from '../../src/limit/counting.ts'
import { LoginGuard } from '../../src/login/login-guard.ts'
import { ip } from '../scene.ts'

const GUESSES = 20
const CLIENT: Place = { kind: 'ip', endpoint: { address: ip('203.0.113.1'), port: 40_000 } }

for (const [what, limits, name, banned] of [
  ['a name from an address', { loginFailures: 3 }, (): string => 'bob', 'bob from 203.0.113.1'],
  ['an address', { addressFailures: 3 }, (index: number): string => `nobody ${index}`, '203.0.113.1/32'],
] as const) {
  test(`of many wrong logins that are judged at once only one bans ${what}, and tells of it`, async () => {
    const clock = new VirtualClock()
    const { promise: judged, resolve: judge } = Promise.withResolvers<undefined>()
    const ledger = ownLedger(clock, 100)
    const bans: Ban[] = []
    const guard = new LoginGuard({
      options: { ...DEFAULT_LOGIN, delayMs: 0, delayMaxMs: 0, ...limits },
      authenticate: () => judged,
      clock,
      failures: () => ledger,
      bans: new BanList(),
      onBan: ban => bans.push(ban),
    })
    const password = Uint8Array.of(1)
    const all = Array.from({ length: GUESSES }, (_, index) =>
      guard.judge({ username: Buffer.from(name(index)), password }, CLIENT),
    )
    judge(undefined)
    assert.deepEqual(await Promise.all(all), Array.from({ length: GUESSES }))
    assert.deepEqual(
      bans.map(({ subject }) => subjectText(subject)),
      [banned],
    )
  })
}

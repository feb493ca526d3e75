/** A rogue of a test's own on loopback, and how long the suite waits for one. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type Case, type ProxyPlace, TIMING, type Timing, parseProxyUrl } from '@socksmith/instruments'
import { parseIp } from '@socksmith/protocol'
import type { Fault } from './rogue/faults.ts'
import { OUTSIDE } from './rogue/place.ts'
import { openRogue } from './rogue/rogue.ts'
import type { RogueOptions } from './rogue/terms.ts'

export const LOOPBACK = parseIp('127.0.0.1') ?? assert.fail()
/** Where the targets are for a server that closes the inside. */
export const OUTSIDE_ADDRESS = parseIp(OUTSIDE) ?? assert.fail()
export const RATE_PER_SECOND = 10_000

/** Of a faulty server every wait is in vain. */
export const SHORT: Timing = {
  ...TIMING,
  patienceMs: 300,
  loginMs: 300,
  quietMs: 50,
  closeMs: 300,
  dialMs: 300,
  silenceMs: 1_200,
  dribbleMs: 20,
}
/** A right one answers; only a slow machine makes it late. */
export const GENEROUS: Timing = {
  ...SHORT,
  patienceMs: 10_000,
  loginMs: 10_000,
  closeMs: 10_000,
  dialMs: 10_000,
  silenceMs: 10_000,
}

/** For a fault that the short waits did not show: on a busy machine buffers fill late, and answers come late. */
export const LONG: Timing = { ...GENEROUS, quietMs: 1_000 }

const USER = { name: 'alice', password: 'Open sesame' }
const HANDSHAKE_MS = 400

/** A proxy that stands as this case needs it, with this fault or right. */
export async function rogueProxy(
  t: TestContext,
  { needs, isSlow }: Pick<Case, 'needs' | 'isSlow'>,
  fault?: Fault,
  others: Partial<RogueOptions> = {},
): Promise<ProxyPlace> {
  const isAuth = needs.includes('auth') || needs.includes('user')
  const server = await openRogue({
    ...(fault === undefined ? {} : { fault }),
    // Only for the cases about time: elsewhere a slow machine must not end a handshake.
    ...(isSlow === true ? { handshakeMs: HANDSHAKE_MS } : {}),
    ...(isAuth ? { user: USER } : {}),
    isInsideClosed: needs.includes('elsewhere'),
    ...others,
  })
  t.after(() => server.close())
  const login = isAuth ? `${USER.name}:${encodeURIComponent(USER.password)}@` : ''
  const { host = '127.0.0.1' } = others
  const proxy = parseProxyUrl(`socks5://${login}${host.includes(':') ? `[${host}]` : host}:${server.port}`)
  assert.ok(typeof proxy !== 'string')
  return proxy
}

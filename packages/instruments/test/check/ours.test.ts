/** Our own server passes every case: open, with a password, and seen from another host. */
import assert from 'node:assert/strict'
import { type TestContext, after, before, suite, test } from 'node:test'
import { createCachingResolver, createNodeEngine, systemClock, systemLookup } from '@socksmith/engine'
import {
  CASES,
  type Case,
  type CaseResult,
  TIMING,
  parseProxyUrl,
  resolveProxy,
  runCheck,
} from '@socksmith/instruments'
import { type IpAddress, parseIp, utf8Text } from '@socksmith/protocol'
import { type ServerOptions, createServer } from '@socksmith/server'
import { Pace } from '../../src/check/probe.ts'
import { runCase } from '../../src/check/run.ts'
import { type Targets, openTargets } from '../../src/check/targets.ts'
import { ALL_ABILITIES, LACK } from './abilities.ts'
import { LOOPBACK, OUTSIDE_ADDRESS } from './rogue-proxy.ts'

/** Starts the server on loopback with a short limit for handshakes only where that is what is asked for; the port. */
async function serve(
  t: TestContext,
  overrides: Partial<ServerOptions>,
  authentication: 'none' | 'password',
): Promise<number> {
  const server = createServer({
    engine: createNodeEngine(),
    resolver: createCachingResolver({
      lookup: systemLookup,
      clock: systemClock,
      positiveTtlMs: 60_000,
      negativeTtlMs: 5_000,
      entriesMax: 100,
      concurrentMax: 2,
      timeoutMs: 10_000,
    }),
    listeners: [
      {
        place: { kind: 'ip', endpoint: { address: LOOPBACK, port: 0 } },
        protocols: { socks4: true, socks5: true, http: true },
        authentication,
      },
    ],
    authenticate: ({ username, password }) =>
      Promise.resolve(utf8Text(username) === 'alice' && utf8Text(password) === 'Open sesame' ? 'alice' : undefined),
    ...overrides,
  })
  const places = await server.start()
  assert.ok(!('code' in places))
  t.after(() => server.stop({ deadlineMs: 0 }))
  const [place] = places
  assert.ok(place?.kind === 'ip')
  return place.endpoint.port
}

async function check(
  url: string,
  cases: readonly Case[],
  { isSlow = false, targetsOn = LOOPBACK }: { readonly isSlow?: boolean; readonly targetsOn?: IpAddress } = {},
): Promise<readonly CaseResult[]> {
  const proxy = parseProxyUrl(url)
  assert.ok(typeof proxy !== 'string')
  const proxyAddress = await resolveProxy(proxy)
  assert.ok(typeof proxyAddress !== 'string')
  const timing = { ...TIMING, quietMs: 100, silenceMs: 10_000, dribbleMs: 20 }
  const outcome = await runCheck({ proxy, proxyAddress, targetsOn, cases, isSlow, timing, ratePerSecond: 5_000 })
  assert.ok(outcome.kind === 'report', JSON.stringify(outcome))
  return outcome.report.results
}

/** The ids of the cases that passed; any failure fails the test, and says what was expected. */
function passed(results: readonly CaseResult[]): readonly string[] {
  const failures = results.filter(({ outcome }) => outcome.kind === 'fail')
  assert.deepEqual(
    failures.map(({ case: about, outcome }) => ({ id: about.id, outcome })),
    [],
  )
  return results.filter(({ outcome }) => outcome.kind === 'pass').map(({ case: about }) => about.id)
}

suite('our own server', () => {
  const seen = new Set<string>()
  const note = (ids: readonly string[]): void => {
    for (const id of ids) seen.add(id)
  }
  let targets: Targets

  before(async () => {
    targets = await openTargets(OUTSIDE_ADDRESS)
  })
  after(() => targets.close())

  test('passes without a password', async t => {
    const port = await serve(t, {}, 'none')
    note(passed(await check(`socks5://127.0.0.1:${port}`, CASES)))
  })

  test('passes with fragments put together', async t => {
    const port = await serve(t, { udp: { reassemble: true } }, 'none')
    const cases = CASES.filter(one => one.area === 'udp')
    assert.equal(passed(await check(`socks5://127.0.0.1:${port}`, cases)).length, cases.length)
  })

  test('passes with a password', async t => {
    const port = await serve(t, {}, 'password')
    note(passed(await check(`socks5://alice:Open%20sesame@127.0.0.1:${port}`, CASES)))
  })

  test('passes where clients stay silent', async t => {
    const port = await serve(t, { limits: { handshakeMs: 300 } }, 'none')
    const cases = CASES.filter(one => one.isSlow === true)
    note(passed(await check(`socks5://127.0.0.1:${port}`, cases, { isSlow: true })))
  })

  test('passes where clients come from elsewhere', async t => {
    const port = await serve(
      t,
      { access: { insideFrom: [], insideOpen: [{ address: OUTSIDE_ADDRESS, bits: 32 }] } },
      'none',
    )
    const proxy = parseProxyUrl(`socks5://127.0.0.1:${port}`)
    assert.ok(typeof proxy !== 'string')
    const surroundings = {
      proxy,
      proxyAddress: LOOPBACK,
      targets,
      timing: TIMING,
      abilities: { ...ALL_ABILITIES, auth: LACK },
    }
    const results: CaseResult[] = []
    for (const one of CASES.filter(({ needs }) => needs.includes('elsewhere'))) {
      results.push(await runCase(one, surroundings, new Pace(1_000), false))
    }
    note(passed(results))
  })

  // Names, SOCKS4a, IPv6 and datagrams are asked wherever the targets listen, as far as their address allows.
  for (const { address, unasked } of [
    { address: '127.0.0.9', unasked: /^(S5-(NAM-01|NAM-02|NAM-09|IP6-.*|UDP-03)|S4A-01)$/ },
    // BIND of another peer needs an address that is not ::1, SOCKS4 one of IPv4; only 127.0.0.1 has a name.
    { address: '::1', unasked: /^(S5-NAM-0[1239]|S5-BIN-1[01]|S5-UDP-03|S5-UDP-43|S4A-01|S4-.*)$/ },
  ]) {
    test(`passes with its targets on ${address}`, async t => {
      const port = await serve(t, {}, 'none')
      const areas = new Set(['names', 'ipv6', 'bind', 'udp', 'socks4'])
      const cases = CASES.filter(one => areas.has(one.area))
      const results = await check(`socks5://127.0.0.1:${port}`, cases, { targetsOn: parseIp(address) ?? assert.fail() })
      assert.deepEqual(
        cases.map(one => one.id).filter(id => !unasked.test(id)),
        passed(results),
      )
    })
  }

  test('was asked every case', () => {
    assert.deepEqual(
      CASES.filter(one => !seen.has(one.id)).map(one => one.id),
      [],
    )
  })
})

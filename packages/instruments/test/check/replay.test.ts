/** Transcripts played again against a rogue: what it does again is the same, and what was repaired is not. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { type TestContext, suite, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import {
  CASES,
  type Case,
  type CaseResult,
  type ProxyPlace,
  type ReplayOutcome,
  type Transcript,
  parseProxyUrl,
  replay,
} from '@socksmith/instruments'
import { Pace } from '../../src/check/probe.ts'
import { runCase } from '../../src/check/run.ts'
import { openTargets } from '../../src/check/targets.ts'
import type { EventKind, Masked, TranscriptEvent } from '../../src/check/transcript.ts'
import { ALL_ABILITIES, LACK } from './abilities.ts'
import { AUTHORITY, SERVER } from '../../../engine/test/data/certificates.ts'
import { LOOPBACK, SHORT, rogueProxy } from './rogue-proxy.ts'
import { FAULT_OF, type Fault } from './rogue/faults.ts'

type Id = keyof typeof FAULT_OF

const OPEN = { needs: ['open'] } as const
const WITH_LOGIN = { needs: ['auth'] } as const

async function record(
  t: TestContext,
  id: Id,
  fault: Fault = FAULT_OF[id],
): Promise<{ readonly result: CaseResult; readonly proxy: ProxyPlace; readonly one: Case }> {
  const one = CASES.find(one => one.id === id)
  assert.ok(one)
  const isAuth = one.needs.includes('auth')
  const proxy = await rogueProxy(t, one, fault)
  const targets = await openTargets(LOOPBACK)
  const abilities = { ...ALL_ABILITIES, ...(isAuth ? { open: LACK } : { auth: LACK }) }
  try {
    const surroundings = { proxy, proxyAddress: LOOPBACK, targets, timing: SHORT, abilities }
    return { result: await runCase(one, surroundings, new Pace(1_000), false), proxy, one }
  } finally {
    await targets.close()
  }
}

async function play(result: CaseResult, proxy: ProxyPlace): Promise<ReplayOutcome> {
  return replay({ proxy, proxyAddress: LOOPBACK, transcript: result.transcript, timing: SHORT, ratePerSecond: 1_000 })
}

function said(kind: EventKind, octets: string, masked?: Masked): TranscriptEvent {
  return { atMs: 0, connection: 1, kind, octets, ...(masked === undefined ? {} : { masked }) }
}

function hex(text: string): string {
  return Buffer.from(text).toString('hex')
}

suite('a replay', () => {
  // One of each kind: answer, silence, login, BIND with its peer, datagrams that come and that do not, ports in the data,
  // SOCKS4, FIN and RST.
  for (const id of [
    'S5-REQ-02',
    'S5-GRE-01',
    'S5-LOG-03',
    'S5-LOG-18',
    'S5-LOG-21',
    'S5-BIN-05',
    'S5-UDP-05',
    'S5-UDP-50',
    'S5-BND-02',
    'S4-02',
    'S5-TUN-01',
    'S5-TUN-08',
  ] as const) {
    test(`of ${id} finds the fault again where it is, and not where it was repaired`, async t => {
      const { result, proxy, one } = await record(t, id)
      assert.equal(result.outcome.kind, 'fail')
      const again = await play(result, proxy)
      assert.ok(again.kind === 'played', JSON.stringify(again))
      assert.deepEqual(
        again.differences,
        [],
        JSON.stringify([result.transcript.events, again.transcript.events], undefined, 1),
      )
      const repaired = await play(result, await rogueProxy(t, one))
      assert.ok(repaired.kind === 'played', JSON.stringify(repaired))
      assert.notDeepEqual(repaired.differences, [], JSON.stringify(repaired.transcript.events, undefined, 1))
    })
  }

  test('of a login needs the password, which the transcript does not hold', async t => {
    const { result } = await record(t, 'S5-LOG-18')
    assert.doesNotMatch(JSON.stringify(result), new RegExp(Buffer.from('Open sesame').toString('hex')))
    const outcome = await play(result, await rogueProxy(t, OPEN))
    assert.ok(outcome.kind === 'impossible')
    assert.match(outcome.reason, /name the same user and password/)
  })

  test('of a login octet by octet puts each octet of the password back, and its transcript holds none', async t => {
    // Nothing is wrong but the answer, so that the whole login is in the transcript.
    const { result, one } = await record(t, 'S5-LOG-03', 'long-verdict')
    const sent = result.transcript.events.filter(({ kind }) => kind === 'sent').map(({ octets = '' }) => octets)
    assert.equal(sent.join(''), `0501020105${hex('alice')}0b${'2a'.repeat(11)}`)
    const again = await play(result, await rogueProxy(t, one, 'long-verdict'))
    assert.deepEqual(again.kind === 'played' ? again.differences : again.reason, [])
  })

  test('takes the password to nobody but the server, whatever a transcript from elsewhere wants', async t => {
    const proxy = await rogueProxy(t, WITH_LOGIN)
    const target = createServer({ allowHalfOpen: true })
    t.after(() => target.close())
    const stolen: Buffer[] = []
    target.on('connection', socket => socket.on('data', (octets: Buffer) => stolen.push(octets)).on('error', () => {}))
    target.listen(0, '127.0.0.1').unref()
    await once(target, 'listening')
    const { port } = target.address() as AddressInfo
    const stars = '2a'.repeat(11)
    const transcript: Transcript = {
      targets: [],
      connections: [{ number: 1, transport: 'tcp', role: { kind: 'proxy' }, label: '' }],
      events: [
        { atMs: 0, connection: 1, kind: 'open' },
        said('sent', '050102'),
        said('received', '0502'),
        said('sent', `0105${hex('alice')}0b${stars}`, { offset: 8, length: 11 }),
        said('received', '0100'),
        said('sent', `050100017f000001${port.toString(16).padStart(4, '0')}`),
        said('received', '05000001000000000000'),
        said('sent', `0105${hex('alice')}0b${stars}`, { offset: 8, length: 11 }),
      ],
    }
    const outcome = await replay({ proxy, proxyAddress: LOOPBACK, transcript, timing: SHORT, ratePerSecond: 1_000 })
    assert.ok(outcome.kind === 'impossible', Buffer.concat(stolen).toString())
    assert.match(outcome.reason, /here it would go elsewhere/)
    assert.equal(Buffer.concat(stolen).toString(), '')
  })

  test('does not make this host write to others, nor open ports to them', async t => {
    const { result, proxy } = await record(t, 'S5-UDP-44')
    const { transcript } = result
    const again = await play(result, proxy)
    assert.ok(again.kind === 'played', JSON.stringify(again))
    const [events, connections, targets] = [
      transcript.events.map(event => (event.kind === 'sent' ? { ...event, peer: '192.0.2.1:53' } : event)),
      transcript.connections.map(one => ({ ...one, role: { kind: 'datagrams', from: '0.0.0.0' } as const })),
      transcript.targets.map(target => ({ ...target, address: '0.0.0.0' })),
    ]
    for (const [change, reason] of [
      [{ events }, /192\.0\.2\.1:53, which is not the server/],
      [{ connections }, /sockets are on 0\.0\.0\.0/],
      [{ targets }, /sockets are on 0\.0\.0\.0/],
    ] as const) {
      const outcome = await play({ ...result, transcript: { ...transcript, ...change } }, proxy)
      assert.ok(outcome.kind === 'impossible')
      assert.match(outcome.reason, reason)
    }
  })

  test('names the server in TLS, and waits no longer than a patient person', async t => {
    const names: (string | false | null)[] = []
    const named = createTlsServer({ cert: SERVER.certificate, key: SERVER.key }, socket => {
      names.push(socket.servername)
      socket.on('error', () => {})
    })
    const silent = createServer(socket => socket.on('error', () => {}).resume())
    const transcript: Transcript = {
      targets: [],
      connections: [{ number: 1, transport: 'tcp', role: { kind: 'proxy' }, label: '' }],
      events: [{ atMs: 0, connection: 1, kind: 'open' }],
    }
    const outcomes: ReplayOutcome[] = []
    for (const server of [named, silent]) {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      t.after(() => server.close())
      const proxy = parseProxyUrl(`socks5+tls://localhost:${(server.address() as AddressInfo).port}`)
      assert.ok(typeof proxy !== 'string')
      const again = { proxy, proxyAddress: LOOPBACK, transcript, timing: SHORT, ratePerSecond: 1_000 }
      outcomes.push(await replay({ ...again, tlsAuthorities: AUTHORITY }))
    }
    assert.equal(outcomes[0]?.kind, 'played', JSON.stringify(outcomes[0]))
    assert.deepEqual(names, ['localhost'])
    assert.ok(outcomes[1]?.kind === 'impossible')
    assert.match(outcomes[1].reason, /says nothing within 0\.3 s/)
  })

  test('whose targets are taken says so', async t => {
    const { result, proxy } = await record(t, 'S5-REQ-02')
    const busy = await openTargets(LOOPBACK, result.transcript.targets)
    t.after(() => busy.close())
    const outcome = await play(result, proxy)
    assert.ok(outcome.kind === 'impossible')
    assert.match(outcome.reason, /EADDRINUSE/)
  })
})

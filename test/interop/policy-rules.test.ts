/** Every match and every action of the rules, each asked for by curl; one server with one list of rules for all of them. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { mmdbOf } from './mmdb-file.ts'
import { type Ask, curl, dates, days, hours, webServer } from './policy-scene.ts'
import { PYTHON, needProgram, needPythonModule, runProgram } from './program.ts'
import { type Proxy, type SessionLine, startProxy, temporaryFolder } from './server.ts'
import { nameServer } from './targets.ts'

interface Match {
  readonly name: string
  /** What the rule that allows it says beside the port. */
  readonly when: object
  readonly yes: readonly Ask[]
  readonly no: readonly Ask[]
}

const ALICE = 'alice:open sesame'
const BOB = 'bob:open sesame'

const MATCHES: readonly Match[] = [
  { name: 'client address', when: { from: '127.0.0.2' }, yes: [{ from: '127.0.0.2' }], no: [{}] },
  { name: 'client network', when: { from: '127.0.0.2/31' }, yes: [{ from: '127.0.0.3' }], no: [{ from: '127.0.0.4' }] },
  { name: 'listener', when: { listener: 'side' }, yes: [{ listener: 'side' }], no: [{ listener: 'front' }] },
  {
    name: 'user',
    when: { user: 'alice' },
    yes: [{ login: ALICE }, { login: ALICE, by: 'http' }],
    no: [{ login: BOB }, {}],
  },
  { name: 'group', when: { group: 'staff' }, yes: [{ login: ALICE }], no: [{ login: BOB }] },
  { name: 'method password', when: { method: 'password' }, yes: [{ login: BOB }], no: [{}] },
  { name: 'method none', when: { method: 'none' }, yes: [{}], no: [{ login: BOB, by: 'http' }] },
  {
    name: 'version',
    when: { protocol: 'socks4' },
    yes: [{ by: 'socks4' }, { by: 'socks4a', host: 'one.test' }],
    no: [{}, { by: 'tunnel' }],
  },
  {
    name: 'version 4a',
    when: { protocol: 'socks4a' },
    yes: [{ by: 'socks4a', host: 'one.test' }],
    no: [{ by: 'socks4' }],
  },
  { name: 'version 5', when: { protocol: 'socks5' }, yes: [{}], no: [{ by: 'socks4' }, { by: 'http' }] },
  { name: 'HTTP', when: { protocol: 'http' }, yes: [{ by: 'http' }, { by: 'tunnel' }], no: [{}] },
  { name: 'command', when: { command: 'forward' }, yes: [{ by: 'http' }], no: [{ by: 'tunnel' }, {}] },
  { name: 'broader command', when: { command: 'connect' }, yes: [{ by: 'http' }, { by: 'tunnel' }, {}], no: [] },
  { name: 'another command', when: { command: 'bind' }, yes: [], no: [{}] },
  {
    name: 'host',
    when: { to: 'one.test' },
    yes: [{ host: 'one.test' }, { host: 'ONE.test' }, { host: 'one.test', by: 'http' }],
    no: [{ host: 'two.test' }, { host: 'not-one.test' }, { by: 'socks5', host: '127.0.0.1' }],
  },
  {
    name: 'hosts below',
    when: { to: '*.below.test' },
    yes: [{ host: 'a.below.test' }, { host: 'b.a.below.test' }],
    no: [{ host: 'below.test' }, { host: 'abelow.test' }],
  },
  {
    name: 'a host and those below',
    when: { to: '.all.test' },
    yes: [{ host: 'a.all.test' }, { host: 'all.test' }],
    no: [{ host: 'ball.test' }],
  },
  {
    name: 'target network',
    when: { to: '127.1.0.0/16' },
    yes: [{ host: '127.1.0.1' }, { host: 'far.test' }, { host: '127.1.0.1', by: 'socks4' }],
    no: [{ host: '127.0.0.1' }, { host: 'near.test' }],
  },
  {
    name: 'country',
    when: { country: 'FR' },
    yes: [{ host: '127.1.0.1' }, { host: 'far.test' }],
    no: [{ host: 'near.test' }],
  },
  { name: 'ASN', when: { asn: 64_497 }, yes: [{ host: 'far.test' }], no: [{ host: '127.0.0.1' }] },
  { name: 'date with zone', when: { when: dates('Pacific/Kiritimati', 0, 1) }, yes: [{}], no: [] },
  // 26 hours behind: there it is never the same date.
  {
    name: 'date in another zone',
    when: { when: `${dates('Pacific/Kiritimati', 0, 1).split(' ')[0]} Etc/GMT+12` },
    yes: [],
    no: [{}],
  },
  { name: 'weekday', when: { when: `${days(-1, 1)} UTC` }, yes: [{}], no: [] },
  { name: 'other weekdays', when: { when: `${days(2, 5)} UTC` }, yes: [], no: [{}] },
  { name: 'time of day', when: { when: `${hours(-2, 2)} UTC` }, yes: [{}], no: [] },
  { name: 'another time of day', when: { when: `${hours(4, 8)} UTC` }, yes: [], no: [{}] },
  {
    name: 'named set',
    when: { to: '$places' },
    yes: [{ host: 'one.test' }, { host: '127.1.0.1' }],
    no: [{ host: 'two.test' }],
  },
  {
    name: 'any of',
    when: { any: [{ user: 'alice' }, { from: '127.0.0.2' }] },
    yes: [{ login: ALICE }, { from: '127.0.0.2' }],
    no: [{}, { login: BOB }],
  },
  {
    name: 'all of',
    when: { all: [{ user: ['alice', 'bob'] }, { to: 'one.test' }] },
    yes: [{ login: BOB, host: 'one.test' }],
    no: [{ host: 'one.test' }, { login: BOB }],
  },
  { name: 'not', when: { not: { to: '.one.test' } }, yes: [{ host: 'two.test' }], no: [{ host: 'one.test' }] },
]

/** RFC 1928 section 6, and what curl shows of the other protocols. */
const REPLIES = [
  ['not-allowed', 2, 403],
  ['host-unreachable', 4, 502],
  ['network-unreachable', 3, 502],
  ['connection-refused', 5, 502],
  ['timed-out', 6, 504],
  ['general-failure', 1, 502],
] as const

test('every match of a rule, and every action, as curl sees them', async t => {
  if (!needProgram(t, 'curl', 'curl')) return
  const ports = await webServer(t, MATCHES.length + 20)
  const folder = await temporaryFolder(t)
  const write = (name: string, content: string | Uint8Array): Promise<void> => writeFile(join(folder, name), content)
  const rules: object[] = []
  const portOf = new Map<string, number>()
  const own = (name: string): number => {
    const port = ports.pop()
    assert.ok(port !== undefined, 'too few ports')
    portOf.set(name, port)
    return port
  }
  for (const { name, when } of MATCHES) rules.push({ name, allow: { port: own(name), ...when } })
  const range = [own('a port'), own('a port outside')].toSorted((one, other) => one - other)
  rules.push({ name: 'a range', allow: { port: [`${range[0]}-${range[0]}`] } })
  for (const [reply] of REPLIES) rules.push({ deny: { port: own(reply) }, reply })
  const elsewhere = own('elsewhere')
  rules.push(
    { name: 'noted', note: 'ticket 4711', allow: { port: own('note') } },
    { log: 'none', allow: { port: own('no log') } },
    { log: 'no-targets', name: 'private', allow: { port: own('no targets') } },
    { redirect: `127.1.0.1:${elsewhere}`, name: 'redirected', allow: { port: own('redirect') } },
    { mode: 'report', name: 'on trial', deny: { port: own('report') } },
    { via: 'gate', name: 'by the gate', allow: { port: own('via a proxy') } },
    { via: 'far', name: 'from another source', allow: { port: own('via a source') } },
    { via: 'block', name: 'nowhere', allow: { port: own('via block') } },
    { allow: { port: portOf.get('report') } },
    { allow: { port: own('changing set'), to: '$changing' } },
  )
  await write('changing.txt', 'nothing.test\n')
  await write(
    'geo.mmdb',
    mmdbOf([
      { network: '127.0.0.0/16', country: 'DE', asn: 64_496 },
      { network: '127.1.0.0/16', country: 'FR', asn: 64_497 },
    ]),
  )
  const sets = { places: ['one.test', '127.1.0.0/16'], changing: { file: 'changing.txt' } }
  await write('policy.yaml', JSON.stringify({ sets, groups: { staff: ['alice'] }, rules }))
  const listen = ['front', 'side'].map(name => ({ address: '127.0.0.1:0', name, auth: 'rules' }))
  const dns = {
    servers: [`127.0.0.1:${await nameServer(t, name => (name === 'far.test' ? ['127.1.0.1'] : ['127.0.0.1']))}`],
  }
  const gate = await startProxy(t)
  const ways = { gate: `socks5h://${gate.at}`, far: { source: '127.0.0.9' } }
  await write('config.yaml', JSON.stringify({ listen, policy: 'policy.yaml', geo: ['geo.mmdb'], dns, ways }))
  const flags = ['--config', join(folder, 'config.yaml'), '--user', ALICE, '--user', BOB]
  const proxy = await startProxy(t, flags)
  const ask = (port: string | number, asked: Ask = {}): Promise<string> =>
    curl(t, proxy, typeof port === 'string' ? (portOf.get(port) as number) : port, asked)

  for (const { name, yes, no } of MATCHES) {
    await t.test(`match: ${name}`, async () => {
      for (const asked of yes) assert.equal(await ask(name, asked), `port ${portOf.get(name)}`, JSON.stringify(asked))
      for (const asked of no) assert.match(await ask(name, asked), REFUSED[asked.by ?? 'socks5'], JSON.stringify(asked))
    })
  }
  await t.test('match: port', async () => {
    assert.equal(await ask(range[0] as number), `port ${range[0]}`)
    assert.equal(await ask(range[1] as number), 'refused: 2')
  })
  for (const [reply, rep, status] of REPLIES) {
    await t.test(`deny with ${reply}: what SOCKS5, SOCKS4 and HTTP say`, async () => {
      assert.equal(await ask(reply), `refused: ${rep}`)
      assert.equal(await ask(reply, { by: 'socks4' }), 'refused: 91')
      assert.equal(await ask(reply, { by: 'tunnel' }), `refused: ${status}`)
      assert.equal(await ask(reply, { by: 'http' }), `refused: ${status}`)
    })
  }
  await t.test('note, log, redirect, report', async () => {
    for (const name of ['note', 'no log', 'no targets', 'report'])
      assert.equal(await ask(name), `port ${portOf.get(name)}`)
    assert.equal(await ask('redirect'), `port ${elsewhere}`)
    assert.equal(await ask('redirect', { host: 'one.test', by: 'http' }), `port ${elsewhere}`)
  })
  await t.test('via: a proxy, a source, nowhere', async () => {
    for (const by of ['socks5', 'socks4', 'tunnel', 'http'] as const) {
      assert.equal(await ask('via a proxy', { by }), `port ${portOf.get('via a proxy')}`)
      assert.equal(await ask('via a source', { by }), `port ${portOf.get('via a source')} for 127.0.0.9`)
      assert.match(await ask('via block', { by }), REFUSED[by])
    }
  })
  await t.test('a set from a file that changes', async () => {
    assert.equal(await ask('changing set', { host: 'late.test' }), 'refused: 2')
    for (const [content, answer] of [
      ['late.test\n', `port ${portOf.get('changing set')}`],
      ['nothing.test\n', 'refused: 2'],
    ] as const) {
      await write('changing.txt', content)
      // The file is looked at several times a second.
      while ((await ask('changing set', { host: 'late.test' })) !== answer) assert.equal(proxy.child.exitCode, null)
    }
  })
  await t.test('the same rules for PySocks and for a program behind the client of Dante', async t => {
    await otherClients(t, proxy, portOf.get('user') as number)
  })
  const sessions = await proxy.sessions()
  const of = (name: string): readonly Ruled[] =>
    sessions.filter(({ target }) => target?.endsWith(`:${portOf.get(name)}`) === true)
  assert.deepEqual(
    of('note').map(({ rule, note }) => [rule?.includes('noted'), note]),
    [[true, 'ticket 4711']],
  )
  assert.deepEqual(of('no log'), [])
  assert.equal(
    sessions.filter((one: Ruled) => one.rule?.includes('private') === true && one.target === undefined).length,
    1,
  )
  assert.deepEqual(
    of('redirect').map(({ dialled }) => dialled),
    [`127.1.0.1:${elsewhere}`, `127.1.0.1:${elsewhere}`],
  )
  assert.match(String(of('report')[0]?.reported), /deny by .*on trial/)
  assert.deepEqual(
    of('via a proxy').map(({ via }) => via?.startsWith('gate')),
    Array.from({ length: 4 }, () => true),
  )
  const byTheGate = (await gate.sessions()).map(({ target }) => target)
  assert.deepEqual(
    byTheGate,
    Array.from({ length: 4 }, () => `127.0.0.1:${portOf.get('via a proxy')}`),
  )
  assert.ok(of('user').some(({ user, rule }) => user === 'alice' && rule?.includes('user') === true))
})

type Ruled = SessionLine & {
  readonly rule?: string
  readonly note?: string
  readonly dialled?: string
  readonly via?: string
  readonly reported?: unknown
}

/** What is said when no rule allows it; SOCKS5 may be turned away with its method. */
const REFUSED = {
  socks4: /^refused: 91$/,
  socks4a: /^refused: 91$/,
  socks5: /^refused: (2|login)$/,
  'socks5-hostname': /^refused: (2|login)$/,
  http: /^refused: 40[37]$/,
  tunnel: /^refused: 40[37]$/,
}

const PYSOCKS = `
import socks, sys
s = socks.socksocket()
s.set_proxy(socks.SOCKS5, '127.0.0.1', int(sys.argv[1]), True, sys.argv[3], 'open sesame')
s.settimeout(60)
try:
    s.connect(('127.0.0.1', int(sys.argv[2])))
    print('connected')
except socks.ProxyError as error:
    print(error.socket_err or error)
`

/** `port` is for alice only. */
async function otherClients(t: TestContext, proxy: Proxy, port: number): Promise<void> {
  if (needPythonModule(t, 'socks', 'python3-socks')) {
    const say = async (user: string): Promise<string> =>
      (await runProgram(t, PYTHON, ['-c', PYSOCKS, String(proxy.port), String(port), user])).stdout.trim()
    assert.equal(await say('alice'), 'connected')
    assert.match(await say('bob'), /^0x02/)
  }
  if (needProgram(t, 'socksify', 'dante-client')) {
    const config = join(await temporaryFolder(t), 'dante.conf')
    await writeFile(
      config,
      `route { from: 0.0.0.0/0 to: 0.0.0.0/0 via: 127.0.0.1 port = ${proxy.port}\n proxyprotocol: socks_v5 }\n`,
    )
    const say = async (user: string): Promise<string> => {
      const env = {
        SOCKS_CONF: config,
        SOCKS_AUTOADD_LANROUTES: 'no',
        SOCKS_USERNAME: user,
        SOCKS_PASSWORD: 'open sesame',
      }
      const args = ['curl', '--disable', '--silent', '--noproxy', '*', `http://127.0.0.1:${port}/`]
      const { code, stdout } = await runProgram(t, 'socksify', args, { env })
      return code === 0 ? stdout : 'refused'
    }
    assert.equal(await say('alice'), `port ${port}`)
    assert.equal(await say('bob'), 'refused')
  }
}

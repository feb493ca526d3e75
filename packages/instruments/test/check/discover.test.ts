/** What is asked of a server: everything that it offers, however badly, and nothing that it refuses. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { type TestContext, suite, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import {
  type CheckOutcome,
  type Report,
  chooseCases,
  isOnThisHost,
  parseProxyUrl,
  resolveProxy,
  runCheck,
} from '@socksmith/instruments'
import { formatAddress, parseIp } from '@socksmith/protocol'
import { SERVER } from '../../../engine/test/data/certificates.ts'
import { LOOPBACK, SHORT } from './rogue-proxy.ts'
import { openRogue } from './rogue/rogue.ts'

/** Serves each connection by `serve`, on loopback; the port. */
async function listen(t: TestContext, serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** A SOCKS5 server without a password that answers a request as `reply` says: with these octets, or with the end. */
function listen5(t: TestContext, reply: (command: number) => string | undefined): Promise<number> {
  return listen(t, socket => {
    let isGreeted = false
    socket.on('data', (octets: Buffer) => {
      if (octets[0] !== 5) return void socket.end()
      if (isGreeted) {
        const hex = reply(octets[1] ?? 0)
        return void (hex === undefined ? socket.end() : socket.write(Buffer.from(hex, 'hex')))
      }
      isGreeted = true
      const isOffered = octets.subarray(2).includes(0)
      socket.write(isOffered ? '\u0005\u0000' : Buffer.of(5, 0xff))
    })
  })
}

const refusal = (rep: number): string => `050${rep}0001000000000000`
const GRANT = '05000001000000000000'

async function outcomeOf(url: string, only: readonly string[]): Promise<CheckOutcome> {
  const proxy = parseProxyUrl(url)
  const cases = chooseCases(only)
  assert.ok(typeof proxy !== 'string' && typeof cases !== 'string')
  return runCheck({ proxy, proxyAddress: LOOPBACK, cases, timing: SHORT, ratePerSecond: 5_000 })
}

async function reportOf(url: string, only: readonly string[]): Promise<Report> {
  const outcome = await outcomeOf(url, only)
  assert.ok(outcome.kind === 'report', JSON.stringify(outcome))
  return outcome.report
}

/** Why the server cannot be checked. */
async function reasonOf(url: string): Promise<string> {
  const outcome = await outcomeOf(url, ['S5-GRE-01'])
  assert.ok(outcome.kind === 'hopeless')
  return outcome.reason
}

function kindsOf({ results }: Report): Readonly<Record<string, string>> {
  return Object.fromEntries(results.map(({ case: about, outcome }) => [about.id, outcome.kind]))
}

function offered({ abilities }: Report): readonly string[] {
  return Object.entries(abilities).flatMap(([need, { has }]) => (has ? [need] : []))
}

suite('what is offered and broken is asked', () => {
  test('tunnels that change their octets', async t => {
    const behind = await openRogue()
    t.after(() => behind.close())
    // The selection and the reply pass.
    const untouched = 12
    const port = await listen(t, client => {
      const proxy = connect(behind.port, '127.0.0.1')
      proxy.on('error', () => {})
      client.pipe(proxy)
      let passed = 0
      proxy.on('data', (octets: Buffer) => {
        client.write(Buffer.from(octets.map((octet, index) => (passed + index < untouched ? octet : octet ^ 1))))
        passed += octets.length
      })
      proxy.on('end', () => client.end())
    })
    const report = await reportOf(`socks5://127.0.0.1:${port}`, ['S5-REQ-01', 'S5-REQ-02', 'S5-GRE-01'])
    assert.deepEqual(kindsOf(report), { 'S5-GRE-01': 'pass', 'S5-REQ-01': 'fail', 'S5-REQ-02': 'pass' })
  })

  test('BIND without a port, and an association without an answer', async t => {
    const port = await listen5(t, command => (command < 4 ? GRANT : refusal(7)))
    const report = await reportOf(`socks5://127.0.0.1:${port}`, ['S5-BIN-01', 'S5-BND-05', 'S5-UDP-01'])
    assert.deepEqual(kindsOf(report), { 'S5-BND-05': 'fail', 'S5-BIN-01': 'fail', 'S5-UDP-01': 'fail' })
  })

  test('CONNECT and names that are always refused fail in their first cases, and are not asked for in the others', async t => {
    for (const reply of [refusal(1), refusal(7), undefined]) {
      const port = await listen5(t, () => reply)
      const report = await reportOf(`socks5://127.0.0.1:${port}`, ['S5-REQ-01', 'S5-REQ-02', 'S5-TUN'])
      const { 'S5-REQ-01': first, ...others } = kindsOf(report)
      assert.equal(first, 'fail')
      assert.deepEqual(new Set(Object.values(others)), new Set(['skip']))
    }
  })

  test('a server that lets nobody in fails in the greeting', async t => {
    const port = await listen(t, socket => socket.once('data', () => socket.write(Buffer.of(5, 1))))
    const report = await reportOf(`socks5://127.0.0.1:${port}`, ['S5-GRE-01', 'S5-MET-05', 'S5-REQ-01', 'S5-TUN-01'])
    assert.deepEqual(kindsOf(report), {
      'S5-GRE-01': 'fail',
      'S5-MET-05': 'fail',
      'S5-REQ-01': 'fail',
      'S5-TUN-01': 'skip',
    })
  })
})

suite('what is no SOCKS server is told in a sentence', () => {
  test('a closed port', async () => {
    const closed = createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const { port: free } = closed.address() as AddressInfo
    closed.close()
    assert.equal(
      await reasonOf(`socks5://127.0.0.1:${free}`),
      `there is no connection to socks5://127.0.0.1:${free}: ECONNREFUSED`,
    )
  })

  for (const [what, said, reason] of [
    ['SSH', 'SSH-2.0-OpenSSH_9.2p1\r\n', /^it is an SSH server and no SOCKS server: it says SSH-2\.0-OpenSSH_9\.2p1$/],
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', /^it speaks HTTP, .* HTTP\/1\.1 400 Bad Request$/],
    ['other octets', '\u0001\u0002\u0003', /neither SOCKS5 nor SOCKS4: it says 010203$/],
    ['the end', '', /neither SOCKS5 nor SOCKS4: it ends the connection without a word$/],
  ] as const) {
    test(what, async t => {
      const port = await listen(t, socket => socket.once('data', () => socket.end(said)))
      assert.match(await reasonOf(`socks5://127.0.0.1:${port}`), reason)
    })
  }

  test('silence, also in place of a TLS handshake', async t => {
    const port = await listen(t, () => {})
    assert.match(await reasonOf(`socks5://127.0.0.1:${port}`), /says nothing to SOCKS5 or SOCKS4 within 0\.3 s/)
    assert.match(await reasonOf(`socks5+tls://127.0.0.1:${port}`), /no connection to .*: .* says nothing within 0\.3 s/)
  })

  test('TLS, asked in plain and with an unknown authority, and plain, asked in TLS', async t => {
    const server = createTlsServer({ cert: SERVER.certificate, key: SERVER.key }, () => {})
    server.on('tlsClientError', () => {}).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    assert.match(await reasonOf(`socks5://127.0.0.1:${port}`), /it speaks TLS: .* socks5\+tls:\/\//)
    assert.match(await reasonOf(`socks5+tls://127.0.0.1:${port}`), /certificate \(.*\); .* --tls-ca FILE$/)
    const plain = await openRogue()
    t.after(() => plain.close())
    assert.match(await reasonOf(`socks5+tls://127.0.0.1:${plain.port}`), /does not speak TLS .* socks5:\/\/$/)
  })
})

test('an IPv4 address inside IPv6 is that address, and this host', async () => {
  const proxy = parseProxyUrl('socks5://[::ffff:127.0.0.1]:1080')
  assert.ok(typeof proxy !== 'string')
  const address = await resolveProxy(proxy)
  assert.ok(typeof address !== 'string')
  assert.equal(formatAddress(address), '127.0.0.1')
  assert.ok(isOnThisHost(address))
  const mapped = parseIp('::ffff:127.0.0.1')
  assert.ok(mapped && isOnThisHost(mapped))
})

suite('with user and password in the URL', () => {
  const login = 'alice:secret@'
  const cases = ['S5-MET', 'S5-LOG-01', 'S5-LOG-19', 'S5-PIE-05']

  test('a server that needs none fails, and is asked nothing about logins', async t => {
    const port = await listen5(t, () => GRANT)
    const kinds = kindsOf(await reportOf(`socks5://${login}127.0.0.1:${port}`, cases))
    assert.deepEqual(
      [kinds['S5-MET-06'], kinds['S5-MET-07'], kinds['S5-MET-08'], kinds['S5-LOG-01']],
      ['fail', 'fail', 'pass', 'skip'],
    )
  })

  test('a server that lets everybody in after the first login gets the same verdict in every run', async t => {
    const server = await openRogue({ user: { name: 'alice', password: 'secret' }, fault: 'prefers-none' })
    t.after(() => server.close())
    const closed = await openRogue({ user: { name: 'alice', password: 'secret' } })
    t.after(() => closed.close())
    const [open, right] = await Promise.all(
      [server, closed].map(one => reportOf(`socks5://${login}127.0.0.1:${one.port}`, cases)),
    )
    assert.ok(open && right)
    const { 'S5-MET-06': six, 'S5-MET-07': seven, ...others } = kindsOf(open)
    const { 'S5-MET-06': rightSix, 'S5-MET-07': rightSeven, ...rightOthers } = kindsOf(right)
    assert.deepEqual([six, seven, rightSix, rightSeven], ['fail', 'fail', 'pass', 'pass'])
    assert.equal(others['S5-LOG-19'], 'pass')
    assert.deepEqual(others, rightOthers)
    assert.deepEqual(offered(open), offered(right))
  })
})

suite('what is refused is not asked', () => {
  // By REP 07, by the end, and by whatever the server says to a command that does not exist.
  for (const [how, reply] of [
    ['REP 07', refusal(7)],
    ['the end', undefined],
    ['REP 01', refusal(1)],
  ] as const) {
    test(`of a server that only knows CONNECT, and says so by ${how}`, async t => {
      const port = await listen5(t, command => (command === 1 ? GRANT : reply))
      const report = await reportOf(`socks5://127.0.0.1:${port}`, ['S5-BIN-01', 'S5-UDP-01', 'S4-01'])
      assert.deepEqual(offered(report).toSorted(), ['connect', 'here', 'ipv4', 'ipv6', 'name', 'open', 'socks5'])
      assert.deepEqual(new Set(Object.values(kindsOf(report))), new Set(['skip']))
    })
  }

  test('of a server that only knows SOCKS4', async t => {
    const port = await listen(t, socket =>
      socket.once('data', (octets: Buffer) => {
        const isPlain = octets[0] === 4 && octets[1] === 1 && octets[4] === 127
        if (octets[0] === 4) socket.write(Buffer.of(0, isPlain ? 90 : 91, 0, 0, 0, 0, 0, 0))
        else socket.end()
      }),
    )
    const report = await reportOf(`socks4://127.0.0.1:${port}`, ['S4-01', 'S4A-01', 'S5-GRE-01', 'S4-BIN-01'])
    assert.deepEqual(offered(report).toSorted(), ['here', 'socks4'])
    assert.deepEqual(kindsOf(report), {
      'S5-GRE-01': 'skip',
      'S4-01': 'fail',
      'S4A-01': 'skip',
      'S4-BIN-01': 'skip',
    })
  })
})

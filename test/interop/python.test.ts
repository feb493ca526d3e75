/** Python's PySocks through the command: TCP and UDP, with and without a password. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Finished, PYTHON, needPythonModule, runProgram } from './program.ts'
import { WITH_ALICE, startProxy } from './server.ts'
import { NAME, digestOf, digestTarget, dnsTarget, udpEchoTarget } from './targets.ts'

const ALICE = ['alice', 'open sesame']

/** Runs a script that finds the module and its arguments in `socks`, `proxy` and `args`. */
function python(t: TestContext, script: string, proxyPort: number, args: readonly string[]): Promise<Finished> {
  const head = "import socks, socket, sys\nproxy = ('127.0.0.1', int(sys.argv[1]))\nargs = sys.argv[2:]\n"
  return runProgram(t, PYTHON, ['-c', head + script, String(proxyPort), ...args])
}

const TCP = `
kind, host, port, user, password = args
s = socks.socksocket()
s.set_proxy(getattr(socks, kind), *proxy, True, user or None, password or None)
s.connect((host, int(port)))
s.sendall(b'half a line of text ' * 50000)
s.shutdown(socket.SHUT_WR)
print(b''.join(iter(lambda: s.recv(4096), b'')).decode())
`
const SENT = 'half a line of text '.repeat(50_000)

for (const [kind, protocol, host, login] of [
  ['SOCKS4', 'socks4', '127.0.0.1', []],
  ['SOCKS4', 'socks4a', NAME, []],
  ['SOCKS5', 'socks5', '127.0.0.1', []],
  ['SOCKS5', 'socks5', '::1', []],
  ['SOCKS5', 'socks5', NAME, ALICE],
  ['HTTP', 'http', '127.0.0.1', []],
  ['HTTP', 'http', NAME, ALICE],
] as const) {
  test(`PySocks reaches ${host} by ${kind} ${login.join(' ')}`, async t => {
    if (!needPythonModule(t, 'socks', 'python3-socks')) return
    const dns = ['--dns-servers', `127.0.0.1:${await dnsTarget(t)}`]
    const proxy = await startProxy(t, [...(login.length === 0 ? [] : WITH_ALICE), ...dns])
    const port = await digestTarget(t, host === '::1' ? host : '127.0.0.1')
    const [user = '', password = ''] = login
    const got = await python(t, TCP, proxy.port, [kind, host, String(port), user, password])
    assert.deepEqual(got, { code: 0, stdout: `${digestOf(SENT)}\n`, stderr: '' })
    const [session] = await proxy.sessions()
    assert.equal(session?.protocol, protocol)
    assert.equal(session?.target, `${host === '::1' ? '[::1]' : host}:${port}`)
    assert.equal(session?.user ?? '', user)
  })
}

// Every length from nothing to what loopback carries in one datagram behind the header.
const UDP = `
host, port, user, password = args
s = socks.socksocket(socket.AF_INET, socket.SOCK_DGRAM)
s.set_proxy(socks.SOCKS5, *proxy, True, user or None, password or None)
s.settimeout(30)
s.bind(('127.0.0.1', 0))
for length in (0, 1, 512, 1500, 9000, 65000):
    s.sendto(b'u' * length, (host, int(port)))
    octets, sender = s.recvfrom(65535)
    print(octets == b'u' * length, sender == ('127.0.0.1', int(port)))
`

for (const [host, login] of [
  ['127.0.0.1', []],
  ['127.0.0.1', ALICE],
  [NAME, []],
] as const) {
  test(`PySocks sends datagrams to ${host} and gets them back ${login.join(' ')}`, async t => {
    if (!needPythonModule(t, 'socks', 'python3-socks')) return
    const dns = ['--dns-servers', `127.0.0.1:${await dnsTarget(t)}`]
    const proxy = await startProxy(t, [...(login.length === 0 ? [] : WITH_ALICE), ...dns])
    const [user = '', password = ''] = login
    const got = await python(t, UDP, proxy.port, [host, String(await udpEchoTarget(t)), user, password])
    assert.deepEqual(got, { code: 0, stdout: 'True True\n'.repeat(6), stderr: '' })
    const [session] = await proxy.sessions()
    const octets = 0 + 1 + 512 + 1500 + 9000 + 65_000
    assert.equal(session?.command, 'udp-associate')
    assert.equal(session.up_octets, octets)
    assert.equal(session.down_octets, octets)
  })
}

test('PySocks with a wrong password, or none, is refused for TCP and UDP', async t => {
  if (!needPythonModule(t, 'socks', 'python3-socks')) return
  const proxy = await startProxy(t, WITH_ALICE)
  const port = String(await digestTarget(t))
  for (const [script, args, error] of [
    [TCP, ['SOCKS5', '127.0.0.1', port, 'alice', 'open barley'], /SOCKS5AuthError: SOCKS5 authentication failed/],
    [UDP, ['127.0.0.1', port, 'alice', 'open barley'], /SOCKS5AuthError: SOCKS5 authentication failed/],
    [TCP, ['SOCKS5', '127.0.0.1', port, '', ''], /SOCKS5AuthError: All offered SOCKS5 authentication methods were/],
    [TCP, ['SOCKS4', '127.0.0.1', port, '', ''], /SOCKS4Error: .*rejected/],
    [TCP, ['HTTP', '127.0.0.1', port, '', ''], /HTTPError: 407/],
  ] as const) {
    const got = await python(t, script, proxy.port, args)
    assert.equal(got.code, 1)
    assert.match(got.stderr, error)
  }
})

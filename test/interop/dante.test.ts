/**
 * Programs that know no SOCKS at all through Dante's client library (`socksify`): TCP, BIND for active FTP, UDP. It
 * stands in front of some of libc's functions. Python's accept4() goes past it, hence BIND is shown with ftp. dig makes
 * the system call sendmmsg() itself, hence it runs where that call does not exist.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type TestContext, test } from 'node:test'
import { PYTHON, needProgram, needPythonModule, runProgram, startProgram } from './program.ts'
import { type Proxy, WITH_ALICE, startProxy, temporaryFolder } from './server.ts'
import { NAME, dnsTarget, httpTarget } from './targets.ts'

const WITHOUT_MMSG = fileURLToPath(new URL('without-mmsg.py', import.meta.url))

/** The environment in which `socksify` sends everything to the proxy. */
async function throughProxy(
  t: TestContext,
  proxy: Proxy,
  version: 'socks_v4' | 'socks_v5',
): Promise<NodeJS.ProcessEnv> {
  const file = join(await temporaryFolder(t), 'dante.conf')
  // "fake" hands names to the proxy. Without a "logoutput" the library is silent.
  await writeFile(
    file,
    `resolveprotocol: fake
route {
  from: 0.0.0.0/0 to: 0.0.0.0/0 via: 127.0.0.1 port = ${proxy.port}
  proxyprotocol: ${version}
}
`,
  )
  return {
    SOCKS_CONF: file,
    // Otherwise it goes straight to every network this machine is in, and so to loopback.
    SOCKS_AUTOADD_LANROUTES: 'no',
    SOCKS_USERNAME: 'alice',
    SOCKS_PASSWORD: 'open sesame',
  }
}

for (const [version, protocol, flags] of [
  ['socks_v4', 'socks4', []],
  ['socks_v5', 'socks5', []],
  ['socks_v5', 'socks5', WITH_ALICE],
] as const) {
  const how = `${version} ${flags.length === 0 ? 'without' : 'with'} a password`

  test(`a socksified curl reaches its target by ${how}`, async t => {
    if (!needProgram(t, 'socksify', 'dante-client') || !needProgram(t, 'curl', 'curl')) return
    const proxy = await startProxy(t, flags)
    const port = await httpTarget(t, 'http')
    const args = ['curl', '--disable', '--silent', '--noproxy', '*', `http://127.0.0.1:${port}/page`]
    const got = await runProgram(t, 'socksify', args, { env: await throughProxy(t, proxy, version) })
    assert.deepEqual({ code: got.code, stdout: got.stdout }, { code: 0, stdout: 'GET /page ' }, got.stderr)
    const [session] = await proxy.sessions()
    assert.equal(session?.protocol, protocol)
    assert.equal(session?.target, `127.0.0.1:${port}`)
    if (flags.length > 0) assert.equal(session?.user, 'alice')
  })

  test(`a socksified ftp fetches a file in active mode, its data connection a BIND by ${how}`, async t => {
    if (!needProgram(t, 'socksify', 'dante-client') || !needProgram(t, 'ftp', 'ftp')) return
    if (!needPythonModule(t, 'pyftpdlib', 'python3-pyftpdlib')) return
    const proxy = await startProxy(t, flags)
    const port = await ftpTarget(t, { 'file.txt': 'the file\n' })
    const got = await runProgram(t, 'socksify', ['ftp', '-A', '-n', '127.0.0.1', String(port)], {
      env: await throughProxy(t, proxy, version),
      input: 'user anonymous x\nget file.txt -\nget file.txt -\n',
    })
    assert.equal(got.code, 0, got.stderr)
    assert.equal(got.stdout.match(/the file/g)?.length, 2, got.stdout)
    const sessions = await proxy.sessions()
    const bind = { protocol, down_octets: 'the file\n'.length, end: 'target-finished' }
    const binds = sessions.filter(session => session.command === 'bind')
    assert.deepEqual(
      binds.map(({ protocol, down_octets, end }) => ({ protocol, down_octets, end })),
      [bind, bind],
    )
  })
}

test('a socksified curl hands a name to the proxy', async t => {
  if (!needProgram(t, 'socksify', 'dante-client') || !needProgram(t, 'curl', 'curl')) return
  const proxy = await startProxy(t, ['--dns-servers', `127.0.0.1:${await dnsTarget(t)}`])
  const url = `http://${NAME}:${await httpTarget(t, 'http')}/page`
  const env = await throughProxy(t, proxy, 'socks_v5')
  const got = await runProgram(t, 'socksify', ['curl', '--disable', '--silent', '--noproxy', '*', url], { env })
  assert.deepEqual({ code: got.code, stdout: got.stdout }, { code: 0, stdout: 'GET /page ' }, got.stderr)
})

// The question for target.example, type A, class IN, once from an unconnected socket and once from a connected one.
const ASK_TWICE = `
import socket, sys
server = ('127.0.0.1', int(sys.argv[1]))
question = bytes.fromhex('12340100000100000000000006746172676574076578616d706c650000010001')
for connected in (False, True):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if connected:
        s.connect(server)
        s.send(question)
        answer = s.recv(512)
    else:
        s.sendto(question, server)
        answer, sender = s.recvfrom(512)
        assert sender == server, sender
    print(socket.inet_ntoa(answer[-4:]))
`

test('a socksified resolver asks a DNS server over UDP ASSOCIATE', async t => {
  if (!needProgram(t, 'socksify', 'dante-client') || !needProgram(t, PYTHON, 'python3')) return
  const proxy = await startProxy(t, WITH_ALICE)
  const got = await runProgram(t, 'socksify', [PYTHON, '-c', ASK_TWICE, String(await dnsTarget(t))], {
    env: await throughProxy(t, proxy, 'socks_v5'),
  })
  assert.deepEqual({ code: got.code, stdout: got.stdout }, { code: 0, stdout: '127.0.0.1\n127.0.0.1\n' }, got.stderr)
  const sessions = await proxy.sessions()
  // The question and the answer of one socket.
  const association = { user: 'alice', command: 'udp-associate', up_octets: 32, down_octets: 48 }
  assert.deepEqual(
    sessions.map(({ user, command, up_octets, down_octets }) => ({ user, command, up_octets, down_octets })),
    [association, association],
  )
})

test('a socksified dig asks a DNS server over UDP ASSOCIATE', async t => {
  if (!needProgram(t, 'socksify', 'dante-client') || !needProgram(t, 'dig', 'bind9-dnsutils')) return
  if (!needProgram(t, PYTHON, 'python3')) return
  const proxy = await startProxy(t, WITH_ALICE)
  const question = ['@127.0.0.1', '-p', String(await dnsTarget(t)), NAME, '+short', '+tries=1']
  const got = await runProgram(t, 'socksify', [PYTHON, WITHOUT_MMSG, 'dig', ...question], {
    env: await throughProxy(t, proxy, 'socks_v5'),
  })
  assert.deepEqual({ code: got.code, stdout: got.stdout }, { code: 0, stdout: '127.0.0.1\n' }, got.stderr)
  const [session] = await proxy.sessions()
  assert.equal(session?.command, 'udp-associate')
})

const FTP_SERVER = `
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_anonymous(sys.argv[1])
server = FTPServer(('127.0.0.1', 0), FTPHandler)
print(server.socket.getsockname()[1], flush=True)
server.serve_forever()
`

/** An FTP server with these files, open to `anonymous`; its port. */
async function ftpTarget(t: TestContext, files: { readonly [name: string]: string }): Promise<number> {
  const root = join(await temporaryFolder(t), 'root')
  await mkdir(root)
  for (const [name, content] of Object.entries(files)) await writeFile(join(root, name), content)
  const server = startProgram(t, PYTHON, ['-c', FTP_SERVER, root])
  server.stderr.resume()
  const [port] = (await once(createInterface(server.stdout), 'line')) as [string]
  return Number(port)
}

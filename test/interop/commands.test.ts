/** Real programs over the client's commands: ssh and git by `connect`, curl, socat and nc by `forward` and `accept`. */
import assert from 'node:assert/strict'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { startCommand } from '../../packages/cli/test/reach-scene.ts'
import { LAUNCHER } from '../../packages/cli/test/run-command.ts'
import { needProgram, runProgram, startProgram } from './program.ts'
import { WITH_ALICE, engineFlags, startProxy, temporaryFolder } from './server.ts'
import { SSHD, sshTarget } from './ssh-target.ts'
import { NAME, digestOf, digestTarget, dnsTarget, fileTarget, httpTarget, udpEchoTarget } from './targets.ts'

/** The command as another program starts it. */
const COMMAND = `${process.execPath} ${LAUNCHER}`
const INPUT = 'half a line of text that is sent before the end\n'.repeat(40_000)

/** Options that make ssh log in at the target without a question. */
function sshOptions(folder: string, port: number, proxyCommand: string): readonly string[] {
  const options = [
    `ProxyCommand=${proxyCommand}`,
    `UserKnownHostsFile=${join(folder, 'known_hosts')}`,
    'StrictHostKeyChecking=yes',
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
  ].flatMap(option => ['-o', option])
  return ['-F', 'none', ...options, '-p', String(port), '-i', join(folder, 'user_key')]
}

for (const scheme of ['socks4', 'socks5h', 'http']) {
  test(`ssh runs a command on the far side of socksmith connect over ${scheme}, input and output whole`, async t => {
    if (!needProgram(t, 'ssh', 'openssh-client') || !needProgram(t, SSHD, 'openssh-server')) return
    const proxy = await startProxy(t, scheme === 'socks4' ? [] : WITH_ALICE)
    const { port, folder } = await sshTarget(t)
    const login = scheme === 'socks4' ? '' : 'alice:open%%20sesame@'
    const command = `${COMMAND} connect --via ${scheme}://${login}${proxy.at} %h %p`
    const args = [...sshOptions(folder, port, command), `${userInfo().username}@127.0.0.1`]
    const got = await runProgram(t, 'ssh', [...args, 'cat; echo over; exit 7'], { input: INPUT })
    assert.deepEqual({ code: got.code, stdout: got.stdout }, { code: 7, stdout: `${INPUT}over\n` }, got.stderr)
    const [session] = await proxy.sessions()
    assert.equal(session?.target, `127.0.0.1:${port}`)
  })
}

async function repository(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t)
  const script = `git init -q --bare bare.git && git init -q work && cd work && printf 'some words' >file && git add file &&
    git -c user.name=a -c user.email=a@b commit -q -m words && git push -q ../bare.git HEAD:refs/heads/main &&
    git -C ../bare.git symbolic-ref HEAD refs/heads/main && git -C ../bare.git update-server-info`
  const made = await runProgram(t, 'sh', ['-c', script], { cwd: folder })
  assert.equal(made.code, 0, made.stderr)
  return folder
}

test('git clones over ssh through socksmith connect', async t => {
  if (!needProgram(t, 'git', 'git') || !needProgram(t, 'ssh', 'openssh-client')) return
  if (!needProgram(t, SSHD, 'openssh-server')) return
  const proxy = await startProxy(t)
  const { port, folder } = await sshTarget(t)
  const source = await repository(t)
  const words = sshOptions(folder, port, `${COMMAND} connect %h %p`).map(word => `'${word}'`)
  const url = `ssh://${userInfo().username}@127.0.0.1:${port}${source}/bare.git`
  const env = { GIT_SSH_COMMAND: `ssh ${words.join(' ')}`, ALL_PROXY: `socks5h://${proxy.at}` }
  const got = await runProgram(t, 'git', ['clone', '-q', url, join(source, 'clone')], { env })
  assert.equal(got.code, 0, got.stderr)
  const file = await runProgram(t, 'cat', [join(source, 'clone', 'file')])
  assert.equal(file.stdout, 'some words')
  assert.equal((await proxy.sessions())[0]?.target, `127.0.0.1:${port}`)
})

test('git clones over its own protocol with socksmith connect as core.gitProxy', async t => {
  if (!needProgram(t, 'git', 'git')) return
  const proxy = await startProxy(t)
  const source = await repository(t)
  // It cannot choose a port and tell it; inetd's way needs none.
  const server = startProgram(t, 'socat', [
    '-d',
    '-d',
    'TCP4-LISTEN:0,bind=127.0.0.1,fork',
    `EXEC:git daemon --inetd --export-all --base-path=${source}`,
  ])
  const port = await portSaid(server.stderr, /listening on AF=2 127\.0\.0\.1:(\d+)/)
  const script = join(source, 'proxy.sh')
  await runProgram(t, 'sh', [
    '-c',
    `printf '#!/bin/sh\\nexec ${COMMAND} connect "$@"\\n' >${script}; chmod +x ${script}`,
  ])
  const args = [
    '-c',
    `core.gitProxy=${script}`,
    'clone',
    '-q',
    `git://127.0.0.1:${port}/bare.git`,
    join(source, 'clone'),
  ]
  const got = await runProgram(t, 'git', args, { env: { ALL_PROXY: `socks5h://${proxy.at}` } })
  assert.equal(got.code, 0, got.stderr)
  assert.equal((await runProgram(t, 'cat', [join(source, 'clone', 'file')])).stdout, 'some words')
  assert.equal((await proxy.sessions())[0]?.target, `127.0.0.1:${port}`)
})

test('git clones over http through socksmith forward', async t => {
  if (!needProgram(t, 'git', 'git')) return
  const proxy = await startProxy(t)
  const source = await repository(t)
  const target = await fileTarget(t, source)
  const way = ['--via', `socks5h://${proxy.at}`, ...engineFlags()]
  const forward = startCommand(t, ['forward', '0', `127.0.0.1:${target}`, ...way])
  const port = /127\.0\.0\.1:(\d+) to/.exec(await forward.said('ready'))?.[1]
  const args = ['clone', '-q', `http://127.0.0.1:${port}/bare.git`, join(source, 'clone')]
  const got = await runProgram(t, 'git', args, { env: { NO_PROXY: '*' } })
  assert.equal(got.code, 0, got.stderr)
  assert.equal((await runProgram(t, 'cat', [join(source, 'clone', 'file')])).stdout, 'some words')
  forward.child.kill('SIGTERM')
  assert.equal(await forward.code, 0)
  assert.equal((await proxy.sessions())[0]?.target, `127.0.0.1:${target}`)
})

test('curl posts through socksmith forward to a name that only the proxy knows', async t => {
  if (!needProgram(t, 'curl', 'curl')) return
  const target = await httpTarget(t, 'http')
  const proxy = await startProxy(t, ['--dns-servers', `127.0.0.1:${await dnsTarget(t)}`, ...WITH_ALICE])
  const way = ['--via', `socks5h://alice:open%20sesame@${proxy.at}`, ...engineFlags()]
  const forward = startCommand(t, ['forward', '0', `${NAME}:${target}`, ...way])
  const port = Number(/127\.0\.0\.1:(\d+) to/.exec(await forward.said('ready'))?.[1])
  const url = `http://127.0.0.1:${port}`
  const got = await runProgram(t, 'curl', ['-s', '--noproxy', '*', '--data-binary', '@-', `${url}/path`], {
    input: INPUT,
  })
  assert.deepEqual({ code: got.code, stdout: got.stdout }, { code: 0, stdout: `POST /path ${INPUT}` }, got.stderr)
  forward.child.kill('SIGTERM')
  assert.equal(await forward.code, 0)
  assert.equal((await proxy.sessions()).find(one => one.command === 'connect')?.target, `${NAME}:${target}`)
})

test('socat half-closes through socksmith forward, and gets the answer', async t => {
  if (!needProgram(t, 'socat', 'socat')) return
  const proxy = await startProxy(t)
  const target = await digestTarget(t)
  const path = join(await temporaryFolder(t), 'forward.sock')
  const pairs = ['0', `127.0.0.1:${target}`, `unix:${path}`, `127.0.0.1:${target}`]
  const forward = startCommand(t, ['forward', ...pairs, '--via', `socks5h://${proxy.at}`, ...engineFlags()])
  const port = /127\.0\.0\.1:(\d+) to/.exec(await forward.said('ready'))?.[1]
  for (const address of [`TCP4:127.0.0.1:${port}`, `UNIX-CONNECT:${path}`]) {
    const got = await runProgram(t, 'socat', ['-t60', '-', address], { input: INPUT })
    assert.deepEqual({ code: got.code, stdout: got.stdout }, { code: 0, stdout: digestOf(INPUT) }, got.stderr)
  }
})

test('socat runs socksmith connect on one socket for both of its streams', async t => {
  if (!needProgram(t, 'socat', 'socat')) return
  const proxy = await startProxy(t)
  const target = await digestTarget(t)
  // EXEC gives its child one socket pair as standard input and output.
  const command = `EXEC:${COMMAND} connect --via socks5h\\://${proxy.at.replace(':', '\\:')} 127.0.0.1 ${target}`
  const got = await runProgram(t, 'socat', ['-t60', '-', command], { input: INPUT })
  assert.deepEqual({ code: got.code, stdout: got.stdout }, { code: 0, stdout: digestOf(INPUT) }, got.stderr)
})

test('socat sends a datagram through socksmith forward --udp, and socksmith udp through the proxy', async t => {
  if (!needProgram(t, 'socat', 'socat')) return
  const proxy = await startProxy(t)
  const way = ['--via', `socks5h://${proxy.at}`]
  const target = await udpEchoTarget(t)
  const forward = startCommand(t, ['forward', '--udp', '0', `127.0.0.1:${target}`, ...way, ...engineFlags()])
  const port = /127\.0\.0\.1:(\d+) to/.exec(await forward.said('ready'))?.[1]
  const got = await runProgram(t, 'socat', ['-t2', '-', `UDP4:127.0.0.1:${port}`], { input: 'a datagram' })
  assert.deepEqual({ code: got.code, stdout: got.stdout }, { code: 0, stdout: 'a datagram' }, got.stderr)
  const ours = startCommand(t, ['udp', ...way, '127.0.0.1', String(target), '--wait', '500ms'])
  ours.child.stdin.end('another')
  assert.equal(await text(ours.child.stdout), 'another')
})

test('nc calls the address that socksmith accept tells', async t => {
  if (!needProgram(t, 'nc.openbsd', 'netcat-openbsd')) return
  const proxy = await startProxy(t)
  const accept = startCommand(t, ['accept', '--via', `socks5h://${proxy.at}`, '--from', '127.0.0.1'])
  const address = (await accept.said('listening on')).replace('listening on ', '').split(':')
  accept.child.stdin.end('the answer')
  const got = await runProgram(t, 'nc.openbsd', ['-N', ...address], { input: INPUT })
  assert.equal(got.stdout, 'the answer', got.stderr)
  assert.equal(await text(accept.child.stdout), INPUT)
  assert.equal(await accept.code, 0)
})

async function portSaid(stream: Readable, pattern: RegExp): Promise<number> {
  let said = ''
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    said += String(chunk)
    const port = pattern.exec(said)?.[1]
    if (port !== undefined) {
      stream.resume()
      return Number(port)
    }
  }
  throw new Error(`no port: ${said}`)
}

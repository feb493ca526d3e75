/**
 * What `rebinding.test.ts` runs in a network of its own, where documentation addresses are this machine's: a name server
 * whose answers change, and curl from outside. A test file by itself; nobody runs it elsewhere.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readlink, writeFile } from 'node:fs/promises'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { runProgram, startProgram } from './program.ts'
import { type Proxy, type SessionLine, startProxy, temporaryFolder } from './server.ts'
import { nameServer } from './targets.ts'

/** RFC 5737: nobody has these. The first two are another machine's, the others this one's. */
const [PUBLIC, FORBIDDEN, PROXY, CLIENT] = ['203.0.113.5', '203.0.113.6', '203.0.113.9', '203.0.113.10']
const INSIDE = ['10.9.8.7', '192.168.7.7', '169.254.169.254', '127.0.0.1']
/** In a network of its own every port is free. */
const PORT = 8080

/** What each name is, from one question to the next; the last answer stays. */
const ANSWERS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'steady.test': [[PUBLIC]],
  'rebinding.test': [[PUBLIC], ['10.9.8.7']],
  'to-loopback.test': [[PUBLIC], ['127.0.0.1']],
  'to-metadata.test': [[PUBLIC], ['169.254.169.254']],
  'to-forbidden.test': [[PUBLIC], [FORBIDDEN]],
  'mixed.test': [['10.9.8.7', PUBLIC, '127.0.0.1', FORBIDDEN]],
  'inside.test': [['192.168.7.7']],
  'forbidden.test': [[FORBIDDEN]],
}

const CHANGING = Object.keys(ANSWERS).filter(name => (ANSWERS[name]?.length ?? 0) > 1)

for (const engine of ['linux', 'node']) {
  test(`a name whose answer changes gains nothing: ${engine}`, async t => {
    const reached = await network(t)
    const asked = new Map<string, number>()
    const dnsPort = await nameServer(t, name => {
      const answers = ANSWERS[name] ?? []
      const count = asked.get(name) ?? 0
      asked.set(name, count + 1)
      return answers[Math.min(count, answers.length - 1)] ?? []
    })
    const file = join(await temporaryFolder(t), 'config.yaml')
    const rules = [
      { deny: { to: FORBIDDEN }, name: 'forbidden' },
      // Documentation addresses are inside ones as long as nobody names them.
      { allow: { user: 'alice', to: '203.0.113.0/24' } },
      { allow: { user: 'alice', to: ['.test', '0.0.0.0/0'] } },
    ]
    const config = { listen: [`${PROXY}:0`], policy: { rules }, dns: { servers: [`127.0.0.1:${dnsPort}`] } }
    await writeFile(file, JSON.stringify(config))
    const flags = ['--engine', engine, '--workers', '0', '--config', file, '--user', 'alice:open sesame']
    const first = await startProxy(t, flags)
    for (const by of ['--socks5-hostname', '--proxy', '--proxytunnel --proxy']) {
      const get = (host: string): Promise<string> => page(t, first, host, by)
      assert.equal(await get('steady.test'), PUBLIC)
      // The address that may be reached is dialled, whatever stands beside it.
      assert.equal(await get('mixed.test'), PUBLIC)
      for (const host of ['inside.test', 'forbidden.test', FORBIDDEN, ...INSIDE]) {
        assert.equal(await get(host), 'refused', `${host} ${by}`)
      }
      for (const host of CHANGING) assert.equal(await get(host), PUBLIC, `${host} ${by}`)
    }
    // Between the decision and the dial there is no second question.
    for (const host of CHANGING) assert.equal(asked.get(host), 1, host)
    const sessions = (await first.sessions()) as readonly (SessionLine & { readonly dialled?: string })[]
    assert.deepEqual([...new Set(sessions.flatMap(({ dialled }) => dialled ?? []))], [`${PUBLIC}:${PORT}`])
    // A server that remembers nothing, as this one a minute later.
    const second = await startProxy(t, flags)
    for (const host of CHANGING) {
      for (const by of ['--socks5-hostname', '--proxytunnel --proxy', '--proxy']) {
        assert.equal(await page(t, second, host, by), 'refused', `${host} ${by}`)
      }
      assert.equal(asked.get(host), 2, host)
    }
    assert.deepEqual([...new Set(reached)], [PUBLIC])
  })
}

/** What curl gets from a host through the proxy, by these flags. */
async function page(t: TestContext, proxy: Proxy, host: string, by: string): Promise<string> {
  const how = ['--disable', '--silent', '--fail', '--noproxy', '', '--interface', CLIENT ?? '', '--max-time', '60']
  const via = [...by.split(' '), proxy.at, '--proxy-user', 'alice:open sesame']
  const { code, stdout } = await runProgram(t, 'curl', [...how, ...via, `http://${host}:${PORT}/`])
  return code === 0 ? stdout : 'refused'
}

/** Another machine and this one, web servers on all their addresses; the list of those that were reached. */
async function network(t: TestContext): Promise<readonly string[]> {
  const reached: string[] = []
  const far = startProgram(t, 'unshare', ['-n', process.execPath, '--input-type=module', '--eval', FAR])
  const lines = createInterface(far.stdout)
  const listening = Promise.withResolvers<void>()
  lines.on('line', line => (line === 'listening' ? listening.resolve() : reached.push(line)))
  await once(far, 'spawn')
  const inFar = ['nsenter', '-t', String(far.pid), '-n']
  await untilApart(Number(far.pid))
  run('ip', 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far', 'netns', String(far.pid))
  t.after(() => spawnSync('ip', ['link', 'delete', 'near']))
  run('ip', 'link', 'set', 'lo', 'up')
  for (const address of [PROXY, CLIENT]) run('ip', 'address', 'add', `${address}/24`, 'dev', 'near')
  for (const address of INSIDE.slice(0, 3)) run('ip', 'address', 'replace', `${address}/32`, 'dev', 'lo')
  for (const address of [PUBLIC, FORBIDDEN]) run(...inFar, 'ip', 'address', 'add', `${address}/24`, 'dev', 'far')
  run('ip', 'link', 'set', 'near', 'up')
  run(...inFar, 'ip', 'link', 'set', 'far', 'up')
  far.stdin.end(JSON.stringify([PUBLIC, FORBIDDEN]))
  await listening.promise
  for (const address of INSIDE) {
    const server = createServer((_: IncomingMessage, response: ServerResponse) => response.end(address))
    server.on('connection', () => reached.push(address))
    server.listen(PORT, address)
    await once(server, 'listening')
    t.after(() => server.close().closeAllConnections())
  }
  return reached
}

/** The other machine: tells its address to who asks, and us that it was asked. */
const FAR = `
import { createServer } from 'node:http'
import { once } from 'node:events'
import { json } from 'node:stream/consumers'
for (const address of await json(process.stdin)) {
  const server = createServer((_, response) => response.end(address))
  server.on('connection', () => console.log(address))
  server.listen(${PORT}, address)
  await once(server, 'listening')
}
console.log('listening')
`

/** Waits until the process has left our network: it does so a moment after it was started. */
async function untilApart(pid: number): Promise<void> {
  const ours = await readlink('/proc/self/ns/net')
  while ((await readlink(`/proc/${pid}/ns/net`)) === ours) await new Promise(resolve => setTimeout(resolve, 5))
}

function run(...[program = '', ...args]: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args)
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${String(stderr)}`)
}

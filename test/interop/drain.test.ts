/** The end of the command while programs are connected: sessions finish, or are ended at the deadline. */
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { needProgram, runProgram, startProgram } from './program.ts'
import { type Proxy, startProxy } from './server.ts'
import { echoTarget } from './targets.ts'

/** Twenty running nc, each with a tunnel that has carried a line both ways. */
async function twentyTunnels(t: TestContext, proxy: Proxy): Promise<readonly Tunnel[]> {
  const target = String(await echoTarget(t))
  const args = ['-N', '-X', '5', '-x', proxy.at, '127.0.0.1', target]
  const tunnels = Array.from({ length: 20 }, () => new Tunnel(startProgram(t, 'nc.openbsd', args)))
  await Promise.all(tunnels.map((tunnel, index) => tunnel.echoes(`hello from ${index}`)))
  return tunnels
}

class Tunnel {
  readonly #nc: ChildProcessWithoutNullStreams
  readonly #lines: NodeJS.AsyncIterator<string>
  readonly #ended: Promise<unknown>

  constructor(nc: ChildProcessWithoutNullStreams) {
    this.#nc = nc
    this.#lines = createInterface(nc.stdout)[Symbol.asyncIterator]()
    this.#ended = once(nc, 'close')
  }

  async echoes(line: string): Promise<void> {
    this.#nc.stdin.write(`${line}\n`)
    assert.equal((await this.#lines.next()).value, line)
  }

  /** Sends the end of input; nc's exit code. */
  async finish(): Promise<unknown> {
    this.#nc.stdin.end()
    return ((await this.#ended) as [number | null])[0]
  }
}

/** What it wrote after the ready line. */
function farewell(proxy: Proxy): readonly string[] {
  return proxy.stderr().trim().split('\n').slice(1)
}

test('SIGTERM lets twenty tunnels finish, lets nobody in, and exits with 0', async t => {
  if (!needProgram(t, 'nc.openbsd', 'netcat-openbsd')) return
  const proxy = await startProxy(t)
  const tunnels = await twentyTunnels(t, proxy)
  const stopped = proxy.sessions()
  await proxy.said('waiting for 20 sessions')
  const late = await runProgram(t, 'nc.openbsd', ['-N', '-X', '5', '-x', proxy.at, '127.0.0.1', '9'])
  assert.equal(late.code, 1)
  await Promise.all(tunnels.map((tunnel, index) => tunnel.echoes(`still here, ${index}`)))
  assert.deepEqual(await Promise.all(tunnels.map(tunnel => tunnel.finish())), Array(20).fill(0))
  assert.deepEqual(
    (await stopped).map(session => session.end),
    Array(20).fill('client-finished'),
  )
  assert.deepEqual(farewell(proxy), [
    'stopping: no new connections; waiting for 20 sessions, 30 s at most (a second signal ends at once)',
    'stopped; no session was left',
  ])
})

test('SIGTERM ends at the deadline the tunnels that are left, says how many, and exits with 0', async t => {
  if (!needProgram(t, 'nc.openbsd', 'netcat-openbsd')) return
  const proxy = await startProxy(t, ['--drain', '1s'])
  const tunnels = await twentyTunnels(t, proxy)
  const sessions = await proxy.sessions()
  assert.deepEqual(
    sessions.map(session => session.end),
    Array(20).fill('stopped'),
  )
  await Promise.all(tunnels.map(tunnel => tunnel.finish()))
  assert.deepEqual(farewell(proxy), [
    'stopping: no new connections; waiting for 20 sessions, 1 s at most (a second signal ends at once)',
    'stopped; 20 sessions left at the deadline were ended',
  ])
})

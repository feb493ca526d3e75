/**
 * The server as a service manager starts it that gives nothing away: as nobody, without a capability and unable to win one, on a
 * port below 1024 that was opened for it.
 */
import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { chmod, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { type TestContext, test } from 'node:test'
import { connect, createUdpSocket } from '@socksmith/client'
import { type Place, closeSharedListener, openSharedListener } from '@socksmith/engine'
import { formatDestination } from '@socksmith/protocol'
import { parsePlace } from '../../packages/cli/src/config/place-text.ts'
import { LAUNCHER, temporaryFolder } from '../../packages/cli/test/run-command.ts'
import { engineFlags } from './server.ts'
import { digestOf, digestTarget, udpEchoTarget } from './targets.ts'

const NOBODY = '65534'
const WITHOUT = ['--clear-groups', '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs']
const AS_NOBODY = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, ...WITHOUT]

/** Why this cannot be had here. */
function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can give its rights away'
  const reads = spawnSync('setpriv', [...AS_NOBODY, process.execPath, LAUNCHER, '--version'])
  return reads.status === 0 ? undefined : `nobody cannot run this checkout: ${String(reads.stderr ?? reads.error)}`
}

test('as nobody, without any capability: TCP, UDP, rules that are read again, a log that is opened again, and an orderly end', async t => {
  const reason = obstacle()
  if (reason !== undefined) return t.skip(reason)
  const folder = await temporaryFolder(t)
  await chmod(folder, 0o777)
  const policy = join(folder, 'policy.yaml')
  await writeFile(policy, 'rules: [{ allow: everything }]\n')
  const [target, udpEcho] = [await digestTarget(t), await udpEchoTarget(t)]
  const log = join(folder, 'log')
  const { child, at } = await startAsNobody(t, ['--policy', policy, '--log-file', log, '--log-format', 'json'])
  for (const status of statusOfThreads(child.pid)) {
    assert.match(status, /^Uid:(\s65534){4}$/m)
    assert.match(status, /^NoNewPrivs:\s1$/m)
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      assert.match(status, new RegExp(`^${set}:\\s0+$`, 'm'))
  }
  const via = `socks5://${at}`
  const socket = await connect({ via, host: '127.0.0.1', port: target })
  socket.end('octets')
  assert.equal(await text(socket), digestOf('octets'))
  const datagrams = await createUdpSocket({ via })
  const answer = once(datagrams, 'message') as Promise<[Uint8Array]>
  datagrams.send('a datagram', udpEcho, '127.0.0.1')
  assert.equal(Buffer.from((await answer)[0]).toString(), 'a datagram')
  datagrams.close()
  await writeFile(policy, 'rules: [{ deny: everything }]\n')
  await rename(log, `${log}.1`)
  child.kill('SIGHUP')
  await written(log, 'reloaded')
  await assert.rejects(connect({ via, host: '127.0.0.1', port: target }))
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'close'), [0, null])
})

/** Resolves once the file has the text. */
async function written(path: string, text: string): Promise<void> {
  while (!(await readFile(path, 'utf8').catch(() => '')).includes(text)) await setTimeout(20)
}

interface Started {
  readonly child: ChildProcessByStdio<null, Readable, Readable>
  readonly at: string
}

/** On a port that only root may open; resolves once it is ready. */
async function startAsNobody(t: TestContext, flags: readonly string[]): Promise<Started> {
  const { place, descriptor } = await lowPort(t)
  const at = formatDestination(place.endpoint)
  // LISTEN_PID is the process that sh becomes, and setpriv after it.
  const script = 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
  const serve = [process.execPath, LAUNCHER, 'serve', '--listen', at, ...engineFlags(), ...flags]
  const child = spawn('sh', ['-c', script, 'sh', 'setpriv', ...AS_NOBODY, ...serve], {
    stdio: ['ignore', 'pipe', 'pipe', descriptor],
  }) as Started['child']
  t.after(() => child.kill('SIGKILL'))
  await said(child.stderr, 'ready on')
  return { child, at }
}

async function lowPort(t: TestContext): Promise<{ place: Extract<Place, { kind: 'ip' }>; descriptor: number }> {
  for (let port = 1_023; port > 512; port--) {
    const place = parsePlace(`127.0.0.1:${port}`)
    assert.ok(place?.kind === 'ip')
    const opened = await openSharedListener({ place, backlog: 16 }, 1)
    if ('code' in opened) continue
    t.after(() => closeSharedListener(opened))
    return { place, descriptor: opened.descriptors[0] as number }
  }
  throw new Error('no port below 1024 is free')
}

async function said(stream: Readable, words: string): Promise<void> {
  let heard = ''
  for await (const octets of stream.iterator({ destroyOnReturn: false })) {
    heard += String(octets)
    if (heard.includes(words)) break
  }
  assert.ok(heard.includes(words), heard)
  stream.resume()
}

function statusOfThreads(pid: number | undefined): readonly string[] {
  const tasks = `/proc/${pid}/task`
  return readdirSync(tasks).map(thread => readFileSync(join(tasks, thread, 'status'), 'utf8'))
}

/**
 * System calls that fail now and then, as strace makes them: the tunnel concerned may break, and nothing else may. What
 * arrives is a beginning of what was sent, the server lives on, and serves everybody as soon as the calls work again.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { connect, createUdpSocket } from '@socksmith/client'
import { needProgram, startProgram } from './program.ts'
import { type Proxy, engineFlags, startProxy, temporaryFolder } from './server.ts'
import { echoTarget, udpEchoTarget } from './targets.ts'

/** Enough for the copy through the buffer and for the kernel's own, in both directions. */
const OCTETS = 1_048_576
const PATTERN = randomBytes(OCTETS)
const TUNNELS = 8
/** A tunnel that says nothing for so long has lost an event with the call that failed: broken too. */
const SILENT_MS = 3_000

interface Fault {
  readonly calls: string
  readonly does: string
  /** Which of them. Default: each fifth. */
  readonly when?: string
  /** No tunnel may break by it. */
  readonly isHarmless?: boolean
}

/**
 * Those of Node's own loop are spared: it ends when they fail. So does it by `getsockopt`, which it asks how a dial went: when
 * that fails, it takes what is in the memory for the answer.
 */
const FAULTS: readonly Fault[] = [
  { calls: 'accept4', does: 'error=EINTR', isHarmless: true },
  { calls: 'accept4', does: 'error=ECONNABORTED', isHarmless: true },
  { calls: 'accept4', does: 'error=ENOBUFS' },
  { calls: 'connect', does: 'error=ENOBUFS' },
  { calls: 'socket', does: 'error=ENOMEM' },
  { calls: 'bind', does: 'error=EADDRINUSE' },
  { calls: 'getsockname', does: 'error=ENOBUFS' },
  { calls: 'setsockopt', does: 'error=ENOMEM' },
  { calls: 'sendto,sendmsg,sendmmsg', does: 'error=ENOBUFS' },
  { calls: 'sendto,sendmsg,sendmmsg,write,writev', does: 'error=EINTR' },
  { calls: 'recvfrom,recvmsg,recvmmsg', does: 'error=ENOMEM' },
  { calls: 'recvfrom,recvmsg,recvmmsg,read,readv', does: 'error=EINTR' },
  { calls: 'splice', does: 'error=ENOMEM' },
  { calls: 'pipe2', does: 'error=EMFILE', when: '1+2', isHarmless: true },
  { calls: 'epoll_ctl', does: 'error=ENOMEM' },
  { calls: 'recvfrom,sendto,splice,read,write', does: 'delay_enter=500', isHarmless: true },
]
const NOT_PORTABLE: ReadonlySet<string> = new Set(['splice', 'pipe2', 'epoll_ctl'])

for (const fault of FAULTS) {
  const { calls, does, isHarmless = false } = fault
  test(`${calls}: ${does}`, async t => {
    if (!needProgram(t, 'strace', 'strace')) return
    const isPortable = engineFlags().includes('node')
    if (isPortable && NOT_PORTABLE.has(calls))
      return t.skip('of the Linux engine; Node itself calls it never, or ends by it')
    const [proxy, echo, udpEcho] = [await startProxy(t), await echoTarget(t), await udpEchoTarget(t)]
    const release = await disturb(t, proxy, fault)
    const carried = await Promise.all(Array.from({ length: TUNNELS }, () => carry(proxy, echo)))
    for (const octets of carried) {
      assert.ok(octets.equals(PATTERN.subarray(0, octets.length)), 'lost, doubled or invented')
      if (isHarmless) assert.equal(octets.length, OCTETS)
    }
    await datagrams(proxy, udpEcho)
    // Otherwise nothing has been shown.
    assert.match(await release(), /INJECTED|DELAYED/, proxy.stderr())
    for (let i = 0; i < TUNNELS; i++) assert.equal((await carry(proxy, echo)).length, OCTETS)
    assert.ok((await datagrams(proxy, udpEcho)) > 0)
    assert.equal(await proxy.end(), 0)
    assert.doesNotMatch(proxy.stderr(), /bug/)
  })
}

/** Makes these calls of the server fail from now on; the function that is answered ends that, and tells the calls. */
async function disturb(t: TestContext, { child }: Proxy, fault: Fault): Promise<() => Promise<string>> {
  const log = join(await temporaryFolder(t), 'calls')
  const { calls, does, when = '2+5' } = fault
  const inject = `inject=${calls}:${does}:when=${when}`
  const args = ['-f', '-o', log, '-e', `trace=${calls}`, '-e', inject, '-p', String(child.pid)]
  const strace = startProgram(t, 'strace', args)
  // It ends by itself when the server does.
  const closed = once(strace, 'close')
  let said = ''
  for await (const octets of strace.stderr.iterator({ destroyOnReturn: false })) {
    said += String(octets)
    if (said.includes('attached')) break
  }
  assert.match(said, /attached/)
  strace.stderr.resume()
  return async () => {
    strace.kill('SIGINT')
    await closed
    return await readFile(log, 'utf8')
  }
}

/** Sends the pattern to an echo through the proxy; what came back until all was there, or the tunnel broke. */
async function carry({ at }: Proxy, port: number): Promise<Buffer> {
  let socket: Socket
  try {
    socket = await connect({ via: `socks5://${at}`, host: '127.0.0.1', port, timeout: SILENT_MS })
  } catch {
    return Buffer.alloc(0)
  }
  const chunks: Buffer[] = []
  let count = 0
  socket.setTimeout(SILENT_MS, () => socket.destroy())
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    count += chunk.length
    if (count >= OCTETS) socket.end()
  })
  socket.write(PATTERN)
  // A break is an answer here: `once` would throw it.
  await new Promise(resolve => socket.on('close', resolve))
  return Buffer.concat(chunks)
}

/** How many of some datagrams came back, unchanged. */
async function datagrams({ at }: Proxy, port: number): Promise<number> {
  let came = 0
  try {
    const socket = await createUdpSocket({ via: `socks5://${at}`, timeout: SILENT_MS })
    socket.on('error', () => undefined)
    for (let i = 0; i < 20; i++) {
      const answer = once(socket, 'message', { signal: AbortSignal.timeout(200) }) as Promise<[Uint8Array]>
      socket.send(`datagram ${i}`, port, '127.0.0.1')
      const [octets] = await answer.catch(() => [])
      if (octets === undefined) continue
      assert.match(Buffer.from(octets).toString(), /^datagram \d+$/)
      came++
    }
    socket.close()
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
  }
  return came
}

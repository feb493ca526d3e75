/** Rules and users that change under a thousand tunnels with traffic: who may stay does not notice, who may not is gone. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Finished, run } from '../../packages/cli/test/run-command.ts'
import { type OctetStream, connectPlainly, logIn, open, requestConnect } from '../../packages/cli/test/socks-client.ts'
import { engineFlags, startProxy, temporaryFolder } from './server.ts'
import { echoTarget } from './targets.ts'

const TUNNELS = 1_000
/** So many are opened at once. */
const OPENING = 50
/** Of each message; it goes there and back before the next one. */
const MESSAGE_OCTETS = 512
/** A second is promised. A machine that does other things besides may take longer, and never this long. */
const GONE_MS = 20_000

const NOISE = randomBytes(64 * 1024)

/** A tunnel that sends and hears without a pause. */
class Traffic {
  readonly stream: OctetStream
  /** Whether it ended because it was told to. */
  readonly over: Promise<'stopped' | 'closed'>
  turns = 0
  readonly #sent = createHash('sha256')
  readonly #heard = createHash('sha256')
  #isStopped = false

  constructor(stream: OctetStream) {
    this.stream = stream
    this.over = this.#run()
  }

  /** Ends after the message that is under way; whether all came back as it was sent. */
  async stop(): Promise<boolean> {
    this.#isStopped = true
    const isWhole = (await this.over) === 'stopped' && this.#sent.digest('hex') === this.#heard.digest('hex')
    this.stream.socket.end()
    return isWhole
  }

  async #run(): Promise<'stopped' | 'closed'> {
    while (!this.#isStopped) {
      const from = (this.turns * 4_099) % (NOISE.length - MESSAGE_OCTETS)
      const message = NOISE.subarray(from, from + MESSAGE_OCTETS)
      this.#sent.update(message)
      this.stream.socket.write(message)
      const answer = await this.stream.take(MESSAGE_OCTETS).catch(() => undefined)
      if (answer === undefined) return 'closed'
      this.#heard.update(answer)
      this.turns++
    }
    return 'stopped'
  }
}

/** Opens all, not all at the same time. */
async function openAll(ports: readonly number[], one: (port: number) => Promise<OctetStream>): Promise<Traffic[]> {
  const opened: Traffic[] = []
  for (let from = 0; from < ports.length; from += OPENING) {
    const streams = await Promise.all(ports.slice(from, from + OPENING).map(one))
    opened.push(...streams.map(stream => new Traffic(stream)))
  }
  return opened
}

/** Waits until each of them has been there and back twice more; fails when one is closed. */
async function goOn(all: readonly Traffic[]): Promise<void> {
  const wanted = all.map(({ turns }) => turns + 2)
  while (all.some(({ turns }, index) => turns < (wanted[index] ?? 0))) {
    const soon = new Promise<string>(resolve => setTimeout(resolve, 10, 'soon'))
    assert.equal(await Promise.race([soon, ...all.map(({ over }) => over)]), 'soon')
  }
}

const workers = (): readonly string[] => (engineFlags().includes('node') ? [] : ['--workers', '2'])

async function reloadable(t: TestContext): Promise<{ flags: string[]; rules: (rules: unknown) => Promise<Finished> }> {
  const folder = await temporaryFolder(t)
  const [policy, control] = [join(folder, 'policy.yaml'), join(folder, 'control.sock')]
  return {
    flags: ['--policy', policy, '--control', control, '--listen', '127.0.0.1:0', ...workers()],
    rules: async rules => {
      await writeFile(policy, JSON.stringify({ rules }))
      return run(['reload', '--control', control])
    },
  }
}

test(`${TUNNELS} tunnels with traffic: a reload ends those that it forbids, and no other loses an octet`, async t => {
  const { flags, rules } = await reloadable(t)
  const [stays, goes] = [await echoTarget(t), await echoTarget(t)]
  await rules([{ allow: { port: [stays, goes] } }])
  const proxy = await startProxy(t, flags)
  const ports = Array.from({ length: TUNNELS }, (_, index) => (index % 2 === 0 ? stays : goes))
  const all = await openAll(ports, async port => {
    const stream = await open(t, proxy.port)
    assert.equal(await connectPlainly(stream, port), 0)
    return stream
  })
  const [staying, going] = [all.filter((_, index) => index % 2 === 0), all.filter((_, index) => index % 2 === 1)]
  await goOn(all)
  // Other rules that decide alike, and a file that is none: nobody notices.
  assert.deepEqual(
    await rules([{ deny: { port: 1 } }, { allow: { port: [stays] } }, { allow: { port: goes } }]).then(
      ({ stderr }) => stderr,
    ),
    'reloaded: 3 rules; 0 sessions ended\n',
  )
  assert.equal((await rules([{ alow: 'everything' }])).code, 65)
  await goOn(all)
  const begunMs = performance.now()
  const reloaded = await rules([{ allow: { port: stays } }])
  assert.deepEqual([reloaded.code, reloaded.stderr], [0, `reloaded: 1 rule; ${TUNNELS / 2} sessions ended\n`])
  assert.deepEqual([...new Set(await Promise.all(going.map(({ over }) => over)))], ['closed'])
  assert.ok(performance.now() - begunMs < GONE_MS)
  await goOn(staying)
  const whole = await Promise.all(staying.map(one => one.stop()))
  assert.equal(whole.filter(Boolean).length, TUNNELS / 2)
  const sessions = await proxy.sessions()
  const ends = (end: string): number => sessions.filter(one => one.end === end).length
  assert.deepEqual([ends('revoked'), ends('client-finished')], [TUNNELS / 2, TUNNELS / 2])
  for (const { end, up_octets, down_octets } of sessions) {
    if (end === 'client-finished') assert.equal(up_octets, down_octets)
  }
})

test('the sessions of a removed user end within a second, those of others go on', async t => {
  const users = join(await temporaryFolder(t), 'users.txt')
  for (const name of ['alice', 'bob']) {
    assert.equal((await run(['user', 'add', name, '--users', users], { input: 'open sesame\n' })).code, 0)
  }
  const proxy = await startProxy(t, ['--users', users, '--listen', '127.0.0.1:0', ...workers()])
  const target = await echoTarget(t)
  const tunnels = (name: string): Promise<Traffic[]> =>
    openAll(new Array<number>(100).fill(target), async port => {
      const stream = await open(t, proxy.port)
      assert.equal(await logIn(stream, { name, password: 'open sesame' }), true)
      assert.equal(await requestConnect(stream, port), 0)
      return stream
    })
  const [alice, bob] = [await tunnels('alice'), await tunnels('bob')]
  await goOn([...alice, ...bob])
  assert.equal((await run(['user', 'remove', 'bob', '--users', users])).code, 0)
  const begunMs = performance.now()
  assert.deepEqual([...new Set(await Promise.all(bob.map(({ over }) => over)))], ['closed'])
  const tookMs = performance.now() - begunMs
  t.diagnostic(`gone after ${Math.round(tookMs)} ms`)
  assert.ok(tookMs < GONE_MS)
  await goOn(alice)
  assert.ok((await Promise.all(alice.map(one => one.stop()))).every(Boolean))
})

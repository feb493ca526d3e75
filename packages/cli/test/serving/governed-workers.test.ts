/** New rules and users for several workers at once: all of them, those that begin later too, and no octet of others is lost. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import type { LiveUsers } from '../../src/policy/in-force.ts'
import { hashPassword } from '../../src/users/password.ts'
import { Secret } from '../../src/users/secret.ts'
import { type OctetStream, connectPlainly, echo, logIn, open, requestConnect } from '../socks-client.ts'
import { NOBODY, closing, skip, startPool, until } from './pool-scene.ts'

/** Sends octets of its own through a tunnel to an echo, without end, and holds what comes back against them. */
class Traffic {
  readonly #stream: OctetStream
  readonly #key = randomInt(256)
  /** Octets that came back right. */
  octets = 0
  fault: string | undefined
  readonly ended: Promise<void>
  #isStopping = false

  constructor(stream: OctetStream) {
    this.#stream = stream
    this.ended = this.#run()
  }

  stop(): Promise<void> {
    this.#isStopping = true
    return this.ended
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      const sent = Buffer.from(Array.from({ length: 1_000 }, (_, index) => (this.octets + index + this.#key) & 0xff))
      this.#stream.socket.write(sent)
      const came = await this.#stream.take(sent.length).catch(() => undefined)
      if (came === undefined) return
      if (!came.equals(sent)) this.fault = `other octets behind ${this.octets}`
      this.octets += sent.length
    }
  }
}

test('of 200 busy tunnels exactly those end that new rules forbid, and the others lose no octet', { skip }, async t => {
  const { pool, port, lines } = await startPool(t, 2)
  const [stays, goes] = [await echo(t), await echo(t)]
  const tunnels = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const stream = await open(t, port)
      assert.equal(await connectPlainly(stream, index % 10 === 0 ? goes : stays), 0)
      return { stream, traffic: new Traffic(stream), isForbidden: index % 10 === 0 }
    }),
  )
  const [forbidden, allowed] = [tunnels.filter(one => one.isForbidden), tunnels.filter(one => !one.isForbidden)]
  await until(() => tunnels.every(({ traffic }) => traffic.octets >= 5_000), 'all carry octets')
  assert.equal(await pool.usePolicy(closing(goes)), 20)
  await Promise.all(forbidden.map(({ traffic }) => traffic.ended))
  const before = allowed.map(({ traffic }) => traffic.octets)
  await until(
    () => allowed.every(({ traffic }, index) => traffic.octets >= (before[index] ?? 0) + 5_000),
    'the allowed ones carry on',
  )
  await Promise.all(allowed.map(({ traffic }) => traffic.stop()))
  assert.deepEqual(
    tunnels.flatMap(({ traffic }) => traffic.fault ?? []),
    [],
  )
  assert.equal(allowed.filter(({ stream }) => stream.socket.closed).length, 0)
  assert.equal(pool.sessionCount, 180)
  await until(() => lines.length === 20, 'a line for each that ended')
  assert.ok(lines.every(line => line.includes('"end":"revoked"')))
})

test('new rules hold in every worker, and in one that takes the place of a dead one', { skip }, async t => {
  const { pool, port, threads } = await startPool(t, 2)
  const closed = await echo(t)
  const replies = (): Promise<readonly number[]> =>
    Promise.all(Array.from({ length: 20 }, async () => connectPlainly(await open(t, port), closed)))
  assert.ok((await replies()).every(reply => reply === 0))
  await pool.usePolicy(closing(closed))
  assert.ok((await replies()).every(reply => reply === 2))
  threads[0]?.postMessage({ kind: 'die' })
  await until(() => threads.length === 3, 'replaced')
  // The answer of the new worker comes when it serves.
  await pool.sessions()
  assert.ok((await replies()).every(reply => reply === 2))
})

test('users come and go in every worker at once; whoever goes loses the sessions', { skip }, async t => {
  const [alice, bob] = [await hashPassword(new Secret('secret')), await hashPassword(new Secret('secret'))]
  const first: LiveUsers = { ...NOBODY, known: new Map([['alice', alice]]) }
  const { pool, port } = await startPool(t, 2, {}, first)
  const target = await echo(t)
  const enter = async (name: string): Promise<OctetStream | undefined> => {
    const stream = await open(t, port)
    if (!(await logIn(stream, { name, password: 'secret' }))) return undefined
    assert.equal(await requestConnect(stream, target), 0)
    return stream
  }
  const eight = (name: string): Promise<readonly (OctetStream | undefined)[]> =>
    Promise.all(Array.from({ length: 8 }, () => enter(name)))
  const old = await eight('alice')
  assert.ok(old.every(one => one !== undefined) && (await eight('bob')).every(one => one === undefined))
  const ended = await pool.useUsers({ known: new Map([['bob', bob]]), gone: new Set(['alice']) })
  assert.equal(ended, 8)
  await until(() => old.every(one => one?.socket.closed), 'gone')
  assert.ok((await eight('alice')).every(one => one === undefined))
  assert.ok((await eight('bob')).every(one => one !== undefined))
})

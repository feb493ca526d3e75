/** ssh:// proxies: connections of one route share a login, which ends in time and never stands in their way. */
import assert from 'node:assert/strict'
import { getEventListeners, once } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import type { Socket } from 'node:net'
import os from 'node:os'
import { suite, test } from 'node:test'
import { type Clock, type Connection, createNodeEngine } from '@socksmith/engine'
import { type Endpoint, type IpAddress, parseIp } from '@socksmith/protocol'
import { type Route, chain, connect, connectionDetails, toRoute } from '../../src/index.ts'
import { type Carry, SSH_IDLE_MS, SshSession } from '../../src/ssh/ssh-session.ts'
import { Scene, everything, leakTest, rejection, until } from '../scene.ts'
import { type SshServer, sshServer, sshVia } from './ssh-server.ts'

/** A route that nothing keeps: its session ends when the server hangs up, at the end of the test. */
async function start(scene: Scene): Promise<{ server: SshServer; via: Route; target: number }> {
  const server = await sshServer(scene)
  return { server, via: toRoute(sshVia(server)), target: await scene.echo() }
}

function unknownUser(): never {
  throw new Error('uv_os_get_passwd returned ENOENT')
}

function placeOf(port: number): { readonly kind: 'ip'; readonly endpoint: Endpoint } {
  return { kind: 'ip', endpoint: { address: parseIp('127.0.0.1') as IpAddress, port } }
}

/** A clock whose timers, those without a limit left out, are fired by hand. */
function handClock(): { readonly clock: Clock; readonly timers: ReadonlyMap<() => void, number> } {
  const timers = new Map<() => void, number>()
  const clock: Clock = {
    monotonicMs: () => 0,
    wallMs: () => 0,
    after(ms, callback) {
      timers.set(callback, ms)
      return { cancel: () => void timers.delete(callback) }
    },
  }
  return { clock, timers }
}

/** Connections that keep this process alive. */
function held(): number {
  return process.getActiveResourcesInfo().filter(kind => kind === 'TCPSocketWrap').length
}

async function echoed(socket: Socket, text: string): Promise<string> {
  socket.end(text)
  return everything(socket)
}

suite('an ssh session', () => {
  leakTest('a user whom the system does not know: the environment names it, or the route has to', async scene => {
    const { server } = await start(scene)
    const { userInfo, homedir } = os
    const { LOGNAME, USER } = process.env
    try {
      Object.assign(os, { userInfo: unknownUser, homedir: unknownUser })
      syncBuiltinESMExports()
      const via = `ssh://127.0.0.1:${server.port}`
      for (const name of ['LOGNAME', 'USER']) delete process.env[name]
      const nameless = await rejection(connect({ host: 'a.test', port: 1, via }))
      assert.equal(nameless.code, 'SOCKS_BAD_ARGUMENT')
      assert.match(nameless.message, /ssh:\/\/NAME@HOST/)
      process.env['USER'] = 'alice'
      // The host key is in no file.
      const strange = await rejection(connect({ host: 'a.test', port: 1, via }))
      assert.deepEqual([strange.code, strange.phase, strange.hop], ['SOCKS_HOST_KEY_REJECTED', 'greeting', 0])
      assert.match(strange.message, /host key SHA256:[\w+/]{43} is not in ~\/\.ssh\/known_hosts for 127\.0\.0\.1/)
    } finally {
      Object.assign(os, { userInfo, homedir })
      syncBuiltinESMExports()
      Object.assign(process.env, { ...(LOGNAME !== undefined && { LOGNAME }), ...(USER !== undefined && { USER }) })
    }
  })

  for (const phase of ['greeting', 'authentication', 'request'] as const) {
    leakTest(`a server that falls silent before the ${phase} is done: the limit of the phase ends it`, async scene => {
      const { server, via } = await start(scene)
      server.silentAt = phase
      const error = await rejection(connect({ host: 'a.test', port: 1, via, timeouts: { [phase]: 200 } }))
      assert.deepEqual([error.code, error.phase, error.hop], ['SOCKS_TIMED_OUT', phase, 0])
      await until(() => server.open.size === 0, 'the client has closed')
    })

    leakTest(`the same, and an abort: it acts in the same turn of the loop`, async scene => {
      const { server, via } = await start(scene)
      server.silentAt = phase
      const controller = new AbortController()
      const { signal } = controller
      let isOver = false
      const over = rejection(connect({ host: 'a.test', port: 1, via, signal })).finally(() => (isOver = true))
      await until(() => server.reached === phase, 'the server is silent')
      const reason = new Error('no longer wanted')
      controller.abort(reason)
      await new Promise(resolve => process.nextTick(() => setImmediate(resolve)))
      assert.ok(isOver, 'the promise was still pending after the turn of the abort')
      const error = await over
      assert.deepEqual([error.code, error.phase, error.cause], ['SOCKS_ABORTED', phase, reason])
      assert.deepEqual(getEventListeners(signal, 'abort'), [])
      if (phase !== 'request') await until(() => server.open.size === 0, 'the client has closed')
    })
  }

  leakTest('an idle one does not keep the process alive, a used one does', async scene => {
    const { server, via, target } = await start(scene)
    const socket = await connect({ host: '127.0.0.1', port: target, via })
    // The server's end of it and the target's two are in this process too.
    await until(() => held() === 4, 'all ends hold the process')
    assert.equal(await echoed(socket, 'used'), 'used')
    await until(() => held() === 1, "only the server's end holds it")
    assert.equal(server.open.size, 1)
  })

  test('it is closed when it was idle for ten seconds, and not while a channel is open', async t => {
    const scene = new Scene(t)
    const [server, target] = [await sshServer(scene), await scene.echo()]
    const { clock, timers } = handClock()
    const hop = toRoute(sshVia(server))
    assert.ok(hop.kind === 'proxy')
    const carry: Carry = async () => {
      const dialled = await createNodeEngine().dial(placeOf(server.port), { timeoutMs: 10_000 }).result
      assert.ok(!('code' in dialled))
      return { connection: dialled, early: new Uint8Array(0), traces: [] }
    }
    let isGone = false
    const session = new SshSession(clock, { hop: 0, proxy: hop.hop, traits: {} }, carry, () => (isGone = true))
    const channel = async (): Promise<Connection> => {
      assert.ok(session.take())
      assert.equal(await session.opened, undefined)
      const granted = await session.openChannel(placeOf(target).endpoint).result
      assert.ok('kind' in granted)
      return granted.connection
    }
    const [one, two] = [await channel(), await channel()]
    one.destroy()
    assert.deepEqual([...timers.values()], [])
    two.destroy()
    assert.deepEqual([...timers.values()], [SSH_IDLE_MS])
    const three = await channel()
    assert.deepEqual([...timers.values()], [])
    three.destroy()
    for (const expire of timers.keys()) expire()
    assert.ok(isGone && !session.isOpen)
    await until(() => server.open.size === 0, 'the connection is closed')
    await scene.close()
  })

  leakTest('many connections at once of one route log in once', async scene => {
    const { server, via, target } = await start(scene)
    const texts = Array.from({ length: 40 }, (_, index) => `channel ${index} `.repeat(2_000))
    const answers = texts.map(async text => echoed(await connect({ host: '127.0.0.1', port: target, via }), text))
    assert.deepEqual(await Promise.all(answers), texts)
    assert.deepEqual([server.logins, server.channels], [1, 40])
  })

  leakTest('connections one after the other use the session that is idle, and what they cost is told', async scene => {
    const { server, via, target } = await start(scene)
    const first = await connect({ host: '127.0.0.1', port: target, via })
    assert.equal(await echoed(first, 'one'), 'one')
    const second = await connect({ host: '127.0.0.1', port: target, via })
    assert.equal(await echoed(second, 'two'), 'two')
    assert.equal(server.logins, 1)
    const phases = [first, second].map(socket => connectionDetails(socket)?.hops[0]?.phases.map(({ phase }) => phase))
    assert.deepEqual(phases, [['connect', 'greeting', 'authentication', 'request'], ['request']])
  })

  leakTest('another route has a session of its own, even to the same server', async scene => {
    const { server, via, target } = await start(scene)
    const other = toRoute({ ...sshVia(server), password: 'wrong' })
    assert.equal(await echoed(await connect({ host: '127.0.0.1', port: target, via }), 'mine'), 'mine')
    const error = await rejection(connect({ host: '127.0.0.1', port: target, via: other }))
    assert.equal(error.code, 'SOCKS_AUTH_REJECTED')
    assert.equal(server.logins, 1)
  })

  leakTest('a session that broke is replaced, unnoticed by who comes next', async scene => {
    const { server, via, target } = await start(scene)
    const socket = await connect({ host: '127.0.0.1', port: target, via })
    socket.on('error', () => {})
    for (const one of server.open) one.resetAndDestroy()
    // At once, before anybody here can have noticed, and after.
    assert.equal(await echoed(await connect({ host: '127.0.0.1', port: target, via }), 'at once'), 'at once')
    if (!socket.closed) await once(socket, 'close')
    assert.equal(await echoed(await connect({ host: '127.0.0.1', port: target, via }), 'and later'), 'and later')
    assert.equal(server.logins, 2)
  })

  leakTest('a session whose server fell silent gets no newcomers, and its channels go on', async scene => {
    const { server, via, target } = await start(scene)
    const old = await connect({ host: '127.0.0.1', port: target, via })
    server.silentAt = 'request'
    const late = await rejection(connect({ host: '127.0.0.1', port: target, via, timeouts: { request: 50 } }))
    assert.deepEqual([late.code, late.phase], ['SOCKS_TIMED_OUT', 'request'])
    server.silentAt = undefined
    assert.equal(await echoed(await connect({ host: '127.0.0.1', port: target, via }), 'new'), 'new')
    assert.equal(server.logins, 2)
    assert.equal(await echoed(old, 'old'), 'old')
    await until(() => server.open.size === 1, 'the retired session is closed with its last channel')
  })

  leakTest('more channels than one session takes open another one', async scene => {
    const { server, via, target } = await start(scene)
    const opening = Array.from({ length: 101 }, () => connect({ host: '127.0.0.1', port: target, via }))
    const sockets = await Promise.all(opening)
    assert.equal(server.logins, 2)
    const answers = await Promise.all(sockets.map(socket => echoed(socket, 'one of many')))
    assert.deepEqual(
      answers,
      answers.map(() => 'one of many'),
    )
  })

  leakTest(
    'who gives up while others wait for the same login takes nothing from them; the last one ends it',
    async scene => {
      const { server, via, target } = await start(scene)
      server.silentAt = 'authentication'
      const controllers = [new AbortController(), new AbortController()]
      const waiting = controllers.map(({ signal }) =>
        rejection(connect({ host: '127.0.0.1', port: target, via, signal })),
      )
      await until(() => server.open.size === 1, 'the server is reached')
      controllers[0]?.abort()
      assert.equal((await waiting[0])?.code, 'SOCKS_ABORTED')
      assert.equal(server.open.size, 1)
      controllers[1]?.abort()
      assert.equal((await waiting[1])?.code, 'SOCKS_ABORTED')
      await until(() => server.open.size === 0, 'the login is given up')
      server.silentAt = undefined
      assert.equal(await echoed(await connect({ host: '127.0.0.1', port: target, via }), 'anew'), 'anew')
    },
  )

  leakTest('inside another session: both are shared, each proxy is blamed for its own', async scene => {
    const { server: outer, via, target } = await start(scene)
    const inner = await sshServer(scene)
    const both = chain([via, sshVia(inner)])
    const sockets = await Promise.all([1, 2, 3].map(() => connect({ host: '127.0.0.1', port: target, via: both })))
    for (const socket of sockets) assert.equal(await echoed(socket, 'deep'), 'deep')
    assert.deepEqual([outer.logins, inner.logins], [1, 1])
    const dead = chain([via, { ...sshVia(inner), port: await scene.deadPort() }])
    const error = await rejection(connect({ host: '127.0.0.1', port: target, via: dead }))
    assert.deepEqual([error.code, error.hop], ['SOCKS_PROXY_UNREACHABLE', 1])
    assert.equal(outer.logins, 1)
  })
})

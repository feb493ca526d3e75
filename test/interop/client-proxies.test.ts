/** The client library against proxies that are not ours, and against ours: streams, BIND, UDP, passwords, errors. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, type Socket, connect as plainConnect, createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { type TestContext, suite, test } from 'node:test'
import {
  type Route,
  SocksError,
  chain,
  connect,
  createUdpSocket,
  listen,
  resolve,
  reverse,
  toRoute,
} from '@socksmith/client'
import { FOREIGN_PROXIES, type Foreign, ours, tor } from './foreign-proxies.ts'
import { needProgram } from './program.ts'
import { startProxy } from './server.ts'
import { SSHD, sshTarget } from './ssh-target.ts'
import { digestOf, digestTarget, echoTarget, tcpTarget, udpEchoTarget } from './targets.ts'

const INPUT = 'a line that goes there\n'.repeat(20_000)

const PROXIES: readonly Foreign[] = [
  ours('ours on the Linux engine', ['--engine', 'linux', '--workers', '1']),
  ours('ours on the portable engine', ['--engine', 'node']),
  ...FOREIGN_PROXIES.filter(({ name }) => name !== 'ours'),
]

for (const proxy of PROXIES) {
  suite(proxy.name, () => {
    for (const scheme of proxy.schemes) {
      test(`${scheme}://: a stream with half-close, and octets that come with the reply`, async t => {
        const port = await proxy.start(t)
        if (port === undefined) return
        const via = urlOf(proxy, scheme, port)
        const name = proxy.refusesLocalhost?.includes(scheme) === true ? '127.0.0.1' : 'localhost'
        assert.equal(await exchange(t, proxy, { host: name, via }), 'whole')
        const greeting = await tcpTarget(t, '127.0.0.1', socket => socket.end('220 ready\r\n'))
        assert.equal(await everything(await connect({ host: '127.0.0.1', port: greeting, via })), '220 ready\r\n')
      })
    }

    test('early data, and a refused target', async t => {
      const port = await proxy.start(t)
      if (port === undefined) return
      const [scheme = ''] = proxy.schemes.slice(-1)
      const via = urlOf(proxy, scheme, port)
      const target = await echoTarget(t)
      if (proxy.earlyData) {
        const socket = await connect({ host: '127.0.0.1', port: target, via, earlyData: Buffer.from('early ') })
        socket.write('late')
        assert.equal(await take(socket, 10), 'early late')
      }
      const error = await errorOf(connect({ host: '127.0.0.1', port: await deadPort(), via }).then(drained))
      if (proxy.tellsRefused)
        assert.equal(
          error.code,
          proxy.name.startsWith('ours') && scheme === 'http' ? 'SOCKS_HOST_UNREACHABLE' : 'SOCKS_CONNECTION_REFUSED',
        )
    })

    if (proxy.login !== undefined) {
      test('a wrong password, and none', async t => {
        const port = await proxy.start(t)
        if (port === undefined) return
        const wrong = await errorOf(
          connect({ host: '127.0.0.1', port: 9, via: `socks5h://alice:wrong@127.0.0.1:${port}` }),
        )
        assert.ok(['SOCKS_AUTH_REJECTED', 'SOCKS_PROXY_CLOSED'].includes(wrong.code), wrong.message)
        const none = await errorOf(connect({ host: '127.0.0.1', port: 9, via: `socks5h://127.0.0.1:${port}` }))
        assert.equal(none.code, 'SOCKS_NO_ACCEPTABLE_METHOD')
      })
    }

    if (proxy.bind) {
      for (const scheme of proxy.schemes.filter(one => one !== 'http')) {
        test(`${scheme}://: BIND, twice`, async t => {
          const port = await proxy.start(t)
          if (port === undefined) return
          let listener = await listen({ via: urlOf(proxy, scheme, port), host: '127.0.0.1', port: await deadPort() })
          for (const said of ['first', 'second']) {
            const { address } = listener
            const peer = plainConnect(address.port, address.host, () => peer.end(said))
            t.after(() => peer.destroy())
            const socket = await listener.accept()
            assert.equal(await everything(socket), said)
            listener = await listener.again()
          }
          listener.close()
        })
      }
    }

    test(`UDP ${proxy.udp ? 'there and back' : 'is refused'}`, async t => {
      const port = await proxy.start(t)
      if (port === undefined) return
      const via = urlOf(proxy, 'socks5h', port)
      if (!proxy.udp) {
        const error = await errorOf(createUdpSocket({ via }))
        assert.ok(
          ['SOCKS_COMMAND_NOT_SUPPORTED', 'SOCKS_PROXY_CLOSED', 'SOCKS_GENERAL_FAILURE'].includes(error.code),
          error.message,
        )
        return
      }
      await using socket = await createUdpSocket({ via })
      const target = await udpEchoTarget(t)
      for (const [host, data] of [
        ['127.0.0.1', Buffer.from('short')],
        ['localhost', Buffer.alloc(1_400, 0x61)],
      ] as const) {
        const answer = once(socket, 'message') as Promise<[Buffer]>
        socket.send(data, target, host)
        assert.deepEqual((await answer)[0], data)
      }
    })

    test('as a link of a chain behind and in front of ours', async t => {
      const port = await proxy.start(t)
      if (port === undefined) return
      const [ours, also] = await Promise.all([startProxy(t, ['--workers', '1']), startProxy(t, ['--workers', '1'])])
      const [scheme = ''] = proxy.schemes.slice(-1)
      const via = chain([`socks5h://${ours.at}`, urlOf(proxy, scheme, port), `http://${also.at}`])
      const socket = await connect({ host: '127.0.0.1', port: await echoTarget(t), via })
      socket.write('through three')
      assert.equal(await take(socket, 13), 'through three')
      if (!proxy.udp) return
      const datagrams = chain([`socks5h://${ours.at}`, urlOf(proxy, 'socks5h', port), `socks5h://${also.at}`])
      await using udp = await createUdpSocket({ via: datagrams })
      const answer = once(udp, 'message') as Promise<[Buffer]>
      udp.send('three headers', await udpEchoTarget(t), '127.0.0.1')
      assert.equal(String((await answer)[0]), 'three headers')
    })
  })
}

suite('tor without a network', () => {
  test('its own error codes, and what it refuses to resolve', async t => {
    const port = await tor(t)
    if (port === undefined) return
    const via = `socks5h://127.0.0.1:${port}`
    const onion = await errorOf(connect({ host: 'bad.onion', port: 80, via }))
    assert.deepEqual([onion.code, onion.reply], ['SOCKS_NAME_NOT_FOUND', 0xf6])
    const inside = await errorOf(connect({ host: '127.0.0.1', port: 80, via }))
    assert.deepEqual([inside.code, inside.reply], ['SOCKS_GENERAL_FAILURE', 1])
    assert.equal((await errorOf(resolve('bad.onion', { via }))).code, 'SOCKS_HOST_UNREACHABLE')
    assert.equal((await errorOf(reverse('10.0.0.1', { via }))).code, 'SOCKS_HOST_UNREACHABLE')
    const old = await errorOf(resolve('bad.onion', { via: `socks4a://127.0.0.1:${port}` }))
    assert.deepEqual([old.code, old.reply], ['SOCKS_GENERAL_FAILURE', 91])
    const web = await errorOf(connect({ host: 'bad.onion', port: 80, via: `http://127.0.0.1:${port}` }))
    assert.deepEqual([web.code, web.reply], ['SOCKS_COMMAND_NOT_SUPPORTED', 501])
    assert.notEqual((await errorOf(createUdpSocket({ via }))).code, 'SOCKS_TIMED_OUT')
    const late = await errorOf(connect({ host: 'nowhere.test', port: 80, via, timeouts: { request: 200 } }))
    assert.deepEqual([late.code, late.phase], ['SOCKS_TIMED_OUT', 'request'])
  })
})

suite('ssh://', () => {
  test('an OpenSSH server as a proxy, without the command: alone and behind another proxy', async t => {
    if (!needProgram(t, SSHD, 'openssh-server')) return
    const { port, folder } = await sshTarget(t)
    const ours = await startProxy(t)
    const hop = await sshRoute(port, folder, {})
    for (const via of [hop, chain([`socks5h://${ours.at}`, hop])]) {
      const socket = await connect({ host: 'localhost', port: await digestTarget(t), via })
      socket.end(INPUT)
      assert.equal(await everything(socket), digestOf(INPUT))
    }
    const behind = await connect({
      host: 'localhost',
      port: await echoTarget(t),
      via: chain([hop, `socks5h://${ours.at}`]),
    })
    behind.end('and further')
    assert.equal(await everything(behind), 'and further')
    const refused = await errorOf(connect({ host: '127.0.0.1', port: await deadPort(), via: hop }))
    assert.deepEqual([refused.code, refused.phase], ['SOCKS_CONNECTION_REFUSED', 'request'])
  })

  test('a host key that is not the expected one, and a key that is not let in', async t => {
    if (!needProgram(t, SSHD, 'openssh-server')) return
    const { port, folder } = await sshTarget(t)
    const strange = await errorOf(
      connect({ host: 'a.test', port: 1, via: await sshRoute(port, folder, { hostKeySha256: 'A'.repeat(43) }) }),
    )
    assert.deepEqual([strange.code, strange.phase, strange.hop], ['SOCKS_HOST_KEY_REJECTED', 'greeting', 0])
    const unknown = await errorOf(
      connect({ host: 'a.test', port: 1, via: await sshRoute(port, folder, { hostKeySha256: undefined }) }),
    )
    assert.deepEqual([unknown.code, unknown.phase], ['SOCKS_HOST_KEY_REJECTED', 'greeting'])
    const privateKey = await readFile(join(folder, 'host_key'), 'utf8')
    const rejected = await errorOf(
      connect({ host: 'a.test', port: 1, via: await sshRoute(port, folder, { privateKey }) }),
    )
    assert.equal(rejected.code, 'SOCKS_AUTH_REJECTED')
    assert.ok(!JSON.stringify(rejected).includes('OPENSSH'))
  })
})

async function sshRoute(
  port: number,
  folder: string,
  more: { readonly privateKey?: string; readonly hostKeySha256?: string | undefined },
): Promise<Route> {
  const privateKey = more.privateKey ?? (await readFile(join(folder, 'user_key'), 'utf8'))
  const known = await hostKeyHash(folder)
  const hostKeySha256 = 'hostKeySha256' in more ? more.hostKeySha256 : known
  const ssh = { privateKey, agent: '/nonexistent', ...(hostKeySha256 !== undefined && { hostKeySha256 }) }
  return toRoute({ protocol: 'ssh', host: '127.0.0.1', port, username: userInfo().username, ssh })
}

async function hostKeyHash(folder: string): Promise<string> {
  const [, key = ''] = (await readFile(join(folder, 'host_key.pub'), 'utf8')).split(' ')
  return createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64').replace(/=+$/, '')
}

/** Sends much and hears it all, with half-close where the proxy knows it. */
async function exchange(
  t: TestContext,
  proxy: Foreign,
  to: { readonly host: string; readonly via: string },
): Promise<string> {
  if (proxy.halfClose) {
    const digest = await connect({ ...to, port: await digestTarget(t) })
    digest.end(INPUT)
    return (await everything(digest)) === digestOf(INPUT) ? 'whole' : 'not what was sent'
  }
  const echo = await connect({ ...to, port: await echoTarget(t) })
  echo.write(INPUT)
  return (await take(echo, INPUT.length)) === INPUT ? 'whole' : 'not what was sent'
}

/** So many octets, after which the socket is closed. */
async function take(socket: Socket, size: number): Promise<string> {
  let taken = ''
  for await (const chunk of socket) {
    taken += (chunk as Buffer).toString('latin1')
    if (taken.length >= size) break
  }
  return taken
}

function urlOf({ login }: Foreign, scheme: string, port: number): string {
  return `${scheme}://${login === undefined ? '' : `${login}@`}127.0.0.1:${port}`
}

async function everything(socket: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('latin1')
}

/** A proxy that says yes before it has tried (v2ray) only hangs up: then there is nothing to tell. */
async function drained(socket: AsyncIterable<unknown>): Promise<never> {
  await everything(socket).catch(() => undefined)
  throw new SocksError({ code: 'SOCKS_PROXY_CLOSED', failure: { code: 'truncated', blame: 'server' }, phase: 'relay' })
}

async function errorOf(promise: Promise<unknown>): Promise<SocksError> {
  const outcome = await promise.then(
    () => 'it worked',
    (error: unknown) => error,
  )
  assert.ok(outcome instanceof SocksError, String(outcome))
  return outcome
}

async function deadPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/**
 * Methods that are plugged in: message protection wraps everything behind it (stream, TLS inside it, datagrams), a method
 * may ask the person, and credentials may be asked for late. The server is the protocol's own machine.
 */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { suite } from 'node:test'
import { TLSSocket } from 'node:tls'
import {
  type Claim,
  type Destination,
  type Method,
  NO_ENDPOINT,
  type Protection,
  ServerHandshake,
  type ServerHandshakeEvent,
  type Verdict,
  cramClient,
  cramServer,
  gssapiClient,
  gssapiServer,
  parseIp,
  userPasswordServer,
} from '@socksmith/protocol'
import type { IpAddress } from '@socksmith/protocol'
import { mockAcceptor, mockInitiator } from '../../protocol/test/method/mock-mechanism.ts'
import { Credentials, type ProxyOptions, SocksSocket, chain, connect, createUdpSocket } from '../src/index.ts'
import { AUTHORITY, SERVER, type Scene, everything, leakTest, rejection } from './scene.ts'

const GSSAPI: Method = gssapiClient({ mechanism: mockInitiator })
const GSSAPI_SERVER: Method = gssapiServer({ mechanism: mockAcceptor })

interface ServedMethod {
  readonly method: Method
  readonly judge?: (asked: { readonly claim: Claim }) => Verdict
  /** BND of the reply. */
  readonly bound?: Destination
  readonly onProtection?: (protection: Protection | undefined) => void
  /** What is spoken inside the tunnel; default: an echo. */
  readonly speak?: (stream: PlainStream) => void
}

/** Plain octets, in and out of whatever protection there is. */
interface PlainStream {
  write(octets: Uint8Array): void
  onOctets(take: (octets: Uint8Array) => void): void
}

/** A server with this one method, which answers every CONNECT itself. */
async function methodProxy(scene: Scene, served: ServedMethod): Promise<ProxyOptions & { readonly port: number }> {
  const port = await scene.target(socket => serve(socket, served))
  return { protocol: 'socks5h', host: '127.0.0.1', port }
}

function serve(socket: Socket, { method, judge, bound = NO_ENDPOINT, onProtection, speak = echo }: ServedMethod): void {
  const handshake = new ServerHandshake({
    protocols: { socks4: false, socks5: true, http: false },
    methods: [method],
    passwordRequired: false,
    commands: ['connect', 'udp-associate'],
  })
  let take: ((octets: Uint8Array) => void) | undefined
  const act = (events: readonly ServerHandshakeEvent[]): void => {
    for (const event of events) {
      if (event.kind === 'send') socket.write(event.octets)
      else if (event.kind === 'authenticate') act(handshake.verdict(judge?.(event) ?? { kind: 'rejected' }))
      else if (event.kind === 'request') act(handshake.succeed(bound))
      else if (event.kind === 'failed') socket.end()
      else if (event.kind === 'established') {
        const { protection } = handshake
        onProtection?.(protection)
        speak({
          write: octets => void socket.write(protection?.protect(octets) ?? octets),
          onOctets: taker => (take = taker),
        })
        const early = handshake.takeRemainder()
        if (early.length > 0) take?.(early)
      }
    }
  }
  socket.on('data', octets => {
    if (take === undefined) return act(handshake.receive(octets as Buffer))
    const plain = handshake.protection?.unprotect(octets as Buffer) ?? (octets as Buffer)
    assert.ok(plain instanceof Uint8Array)
    take(plain)
  })
  socket.on('end', () => socket.end())
}

function echo(stream: PlainStream): void {
  stream.write(Buffer.from('protected: '))
  stream.onOctets(octets => stream.write(octets))
}

suite('message protection', () => {
  leakTest('wraps the stream of connect() and of SocksSocket, early octets and early data included', async scene => {
    const via = { ...(await methodProxy(scene, { method: GSSAPI_SERVER })), methods: [GSSAPI] }
    const socket = await connect({ host: 'target.test', port: 443, via, earlyData: Buffer.from('early ') })
    assert.ok(socket instanceof Socket)
    socket.end('and late')
    assert.equal(await everything(socket), 'protected: early and late')
    const later = new SocksSocket({ via })
    later.connect(443, 'target.test', () => later.end('by a driver'))
    assert.equal(await everything(later), 'protected: by a driver')
  })

  leakTest('carries TLS to the target, and the next proxy of a chain', async scene => {
    const one = { ...(await methodProxy(scene, { method: GSSAPI_SERVER, speak: secure })), methods: [GSSAPI] }
    const socket = await connect({ host: 'localhost', port: 443, via: one, tls: { ca: AUTHORITY } })
    socket.end('hello')
    assert.equal(await everything(socket), 'in TLS in GSSAPI: hello')

    const next = await scene.proxy()
    const port = await scene.echo()
    const through = (stream: PlainStream): void => {
      const onward = new Socket().connect(next.port, '127.0.0.1')
      scene.onClose(() => onward.destroy())
      stream.onOctets(octets => onward.write(octets))
      onward.on('data', octets => stream.write(octets as Buffer)).on('error', () => undefined)
    }
    const first = { ...(await methodProxy(scene, { method: GSSAPI_SERVER, speak: through })), methods: [GSSAPI] }
    const chained = await connect({ host: '127.0.0.1', port, via: chain([first, next.url()]) })
    chained.write('chained')
    const [octets] = (await once(chained, 'data')) as [Buffer]
    assert.equal(octets.toString(), 'chained')
    chained.destroy()
  })

  leakTest(
    'a frame that was changed on the way ends the connection with an error, and gives out nothing of it',
    async scene => {
      const port = await scene.target(socket =>
        serve(socket, {
          method: GSSAPI_SERVER,
          speak: stream => stream.onOctets(() => socket.write(Buffer.from('0103000458010101', 'hex'))),
        }),
      )
      const via = { protocol: 'socks5h', host: '127.0.0.1', port, methods: [GSSAPI] } as const
      const socket = await connect({ host: 'target.test', port: 443, via })
      socket.write('x')
      const heard: unknown[] = []
      socket.on('data', octets => heard.push(octets)).on('error', () => undefined)
      await once(socket, 'close')
      assert.deepEqual(heard, [])
      assert.ok(!socket.readableEnded, 'a cut stream must not look like a whole one')
    },
  )

  leakTest('wraps each datagram', async scene => {
    const relay = createSocket('udp4')
    relay.bind(0, '127.0.0.1')
    await once(relay, 'listening')
    scene.onClose(() => new Promise<void>(resolve => relay.close(() => resolve())))
    const bound = { address: parseIp('127.0.0.1') as IpAddress, port: relay.address().port }
    let protection: Protection | undefined
    relay.on('message', (octets, from) => {
      const plain = protection?.unprotectDatagram?.(octets)
      assert.ok(plain instanceof Uint8Array)
      relay.send(protection?.protectDatagram?.(plain) ?? '', from.port, from.address)
    })
    const served = {
      method: GSSAPI_SERVER,
      bound,
      onProtection: (made: Protection | undefined) => (protection = made),
      speak: () => undefined,
    }
    const via = { ...(await methodProxy(scene, served)), methods: [GSSAPI] }
    const socket = await createUdpSocket({ via })
    const answer = once(socket, 'message') as Promise<[Buffer, { address: string }]>
    socket.send('sealed', 53, '192.0.2.1')
    const [message, sender] = await answer
    assert.deepEqual([message.toString(), sender.address], ['sealed', '192.0.2.1'])
    const closed = once(socket, 'close')
    socket.close()
    await closed
  })
})

suite('a person', () => {
  leakTest('answers the questions of the method, in the words of the server', async scene => {
    const at = await methodProxy(scene, { method: cramServer, judge: wantsBlue })
    const asked: string[] = []
    const answering = (answer: string): ProxyOptions => ({
      ...at,
      methods: [cramClient({ username: Buffer.from('alice') })],
      prompt: (text, proxy) => {
        asked.push(`${proxy} ${Buffer.from(text).toString()}`)
        return Promise.resolve(Buffer.from(answer))
      },
    })
    const socket = await connect({ host: 'target.test', port: 1, via: answering('blue') })
    socket.end('in')
    assert.equal(await everything(socket), 'protected: in')
    assert.deepEqual(asked, [`socks5h://127.0.0.1:${at.port} the colour?`])
    const wrong = await rejection(connect({ host: 'target.test', port: 1, via: answering('red') }))
    assert.deepEqual([wrong.code, wrong.phase], ['SOCKS_AUTH_REJECTED', 'authentication'])
    const silent = { ...at, methods: [cramClient({ username: Buffer.from('alice') })] }
    assert.equal((await rejection(connect({ host: 'target.test', port: 1, via: silent }))).code, 'SOCKS_AUTH_REJECTED')
  })

  leakTest('credentials are asked for late, for each connection, and a failing question tells nothing', async scene => {
    const at = await methodProxy(scene, { method: userPasswordServer, judge: everybody })
    let asked = 0
    const credentials = (): Promise<Credentials> => Promise.resolve(new Credentials('alice', `pass${++asked}`))
    for (let i = 1; i <= 2; i++) {
      const socket = await connect({ host: 'target.test', port: 1, via: { ...at, credentials } })
      socket.destroy()
      assert.equal(asked, i)
    }
    const error = await rejection(connect({ host: 'target.test', port: 1, via: { ...at, credentials: failing } }))
    assert.equal(error.code, 'SOCKS_BAD_ARGUMENT')
    assert.ok(!JSON.stringify(error).includes('sesame') && !String(error.stack).includes('sesame'))
  })
})

/** TLS inside the tunnel, with an echo in it. */
function secure(stream: PlainStream): void {
  const [inside, outside] = duplexPair()
  stream.onOctets(octets => outside.write(octets))
  outside.on('data', (octets: Buffer) => stream.write(octets))
  const tls = new TLSSocket(inside, { isServer: true, cert: SERVER.certificate, key: SERVER.key })
  tls.on('error', () => undefined)
  tls.write('in TLS in GSSAPI: ')
  tls.pipe(tls)
}

function wantsBlue({ claim }: { readonly claim: Claim }): Verdict {
  if (claim.kind !== 'response') return { kind: 'rejected' }
  if (claim.response === undefined) return { kind: 'challenge', text: Buffer.from('the colour?') }
  const isBlue = Buffer.from(claim.response).toString() === 'blue'
  return isBlue ? { kind: 'accepted', user: 'alice' } : { kind: 'rejected' }
}

function everybody(): Verdict {
  return { kind: 'accepted', user: 'alice' }
}

function failing(): never {
  throw new Error('the vault says: sesame')
}

/** The `exchanges` of the vectors, replayed through both machines: whole, byte by byte, and at every split. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  ClientHandshake,
  type ClientHandshakeOptions,
  type Destination,
  type Failure,
  type HandshakeRequest,
  ServerHandshake,
  type ServerHandshakeOptions,
  concat,
  failure,
  fromHex,
  noneMethod,
  parseIp,
  toHex,
  userPasswordClient,
  userPasswordServer,
  utf8Octets,
} from '@socksmith/protocol'

interface Step {
  readonly from: 'client' | 'server'
  readonly message: string
  readonly hex: string
  readonly transport?: string
}
interface Exchange {
  readonly id: string
  readonly steps: readonly Step[]
}

const vectors = JSON.parse(readFileSync(new URL('../data/vectors.json', import.meta.url), 'utf8')) as {
  readonly exchanges: readonly Exchange[]
}

const octets = (hex: string): Uint8Array => {
  const parsed = fromHex(hex)
  assert.ok(parsed)
  return parsed
}
const ip = (address: string, port: number): Destination => {
  const parsed = parseIp(address)
  assert.ok(parsed)
  return { address: parsed, port }
}
const name = (host: string, port: number): Destination => ({ address: { type: 'domain', name: host }, port })

/** What the world does with a request: the successive answers to it. */
type World = (request: HandshakeRequest) => readonly (Destination | Failure)[]

const granted = ip('192.0.2.10', 40000)
const options: ServerHandshakeOptions = {
  protocols: { socks4: true, socks5: true, http: true },
  methods: [noneMethod],
  passwordRequired: false,
  commands: ['connect', 'bind', 'udp-associate'],
}
const withPassword: ServerHandshakeOptions = { ...options, methods: [userPasswordServer], passwordRequired: true }
const example = name('example.com', 443)

interface Case {
  readonly server: ServerHandshakeOptions
  readonly world: World
  /** The client that writes the transcript's client half; absent where ours would write it in other pieces. */
  readonly client?: ClientHandshakeOptions
  /** `established`, or the code of the failure. */
  readonly clientEnd?: string
}

const bob = { username: utf8Octets('bob'), password: utf8Octets('secret') }
const socks5 = { protocol: 'socks5', methods: [noneMethod], command: 'connect', destination: example } as const
const bindAt21 = ip('203.0.113.5', 21)
const bindReplies = [ip('198.51.100.7', 50000), ip('203.0.113.5', 20)]

const CASES: Readonly<Record<string, Case>> = {
  'x-s5-noauth': { server: options, world: () => [granted], client: socks5, clientEnd: 'established' },
  'x-s5-pipelined': { server: options, world: () => [granted] },
  'x-s5-userpass': {
    server: withPassword,
    world: () => [granted],
    client: { ...socks5, methods: [noneMethod, userPasswordClient(bob)] },
    clientEnd: 'established',
  },
  'x-s5-userpass-fail': {
    server: withPassword,
    world: () => [granted],
    client: { ...socks5, methods: [userPasswordClient({ ...bob, password: utf8Octets('bad') })] },
    clientEnd: 'auth_rejected',
  },
  'x-s5-none': { server: withPassword, world: () => [], client: socks5, clientEnd: 'no_acceptable_methods' },
  'x-s5-refused': {
    server: options,
    world: () => [failure('connection_refused', 'target')],
    client: socks5,
    clientEnd: 'request_failed',
  },
  'x-s5-bind': {
    server: options,
    world: () => bindReplies,
    client: { ...socks5, command: 'bind', destination: bindAt21 },
    clientEnd: 'established',
  },
  'x-s5-bind-timeout': {
    server: options,
    world: () => [ip('198.51.100.7', 50000), failure('timed_out', 'target')],
    client: { ...socks5, command: 'bind', destination: bindAt21 },
    clientEnd: 'request_failed',
  },
  'x-s5-udp': {
    server: options,
    world: () => [granted],
    client: { ...socks5, command: 'udp-associate', destination: ip('0.0.0.0', 0) },
    clientEnd: 'established',
  },
  'x-s4-connect': {
    server: options,
    world: () => [granted],
    client: {
      protocol: 'socks4',
      command: 'connect',
      destination: ip('66.102.7.99', 80),
      userid: utf8Octets('Fred'),
    },
    clientEnd: 'established',
  },
  'x-s4a-connect': {
    server: options,
    world: () => [granted],
    client: { protocol: 'socks4', command: 'connect', destination: example, userid: utf8Octets('bob') },
    clientEnd: 'established',
  },
  'x-s4-bind-ok': {
    server: options,
    world: () => [ip('0.0.0.0', 50000), ip('203.0.113.5', 20)],
    client: { protocol: 'socks4', command: 'bind', destination: bindAt21, userid: utf8Octets('bob') },
    clientEnd: 'established',
  },
  'x-s4-bind-mismatch': {
    server: options,
    world: () => [ip('198.51.100.7', 50000), failure('not_allowed', 'policy')],
    client: { protocol: 'socks4', command: 'bind', destination: bindAt21, userid: utf8Octets('bob') },
    clientEnd: 'rejected',
  },
  'x-s4-ident-mismatch': { server: options, world: () => [failure('identd_mismatch', 'policy')] },
  'x-tor-resolve': {
    server: { ...options, commands: ['connect', 'resolve'] },
    world: () => [ip('192.0.2.5', 0)],
    client: { ...socks5, command: 'resolve', destination: name('example.com', 0) },
    clientEnd: 'established',
  },
  'x-http': {
    server: options,
    world: () => [granted],
    client: { protocol: 'http', command: 'connect', destination: example },
    clientEnd: 'established',
  },
}

function tcpSteps(exchange: Exchange): readonly Step[] {
  return exchange.steps.filter(step => step.transport === undefined)
}

/** Feeds pieces to a server machine and answers its questions; gives everything that it sent. */
function serve(test: Case, pieces: readonly Uint8Array[]): { sent: string; server: ServerHandshake } {
  const server = new ServerHandshake(test.server)
  const sent: Uint8Array[] = []
  let answers: (Destination | Failure)[] = []
  const act = (events: ReturnType<ServerHandshake['receive']>): void => {
    for (const event of events) {
      if (event.kind === 'send') sent.push(event.octets)
      if (event.kind === 'request') answers = [...test.world(event.request)]
      if (event.kind === 'authenticate') {
        const { claim } = event
        const right = claim.kind === 'password' && toHex(claim.password) === toHex(bob.password)
        act(server.verdict(right ? { kind: 'accepted', user: 'bob' } : { kind: 'rejected' }))
      }
    }
    for (let answer = answers.shift(); answer !== undefined; answer = answers.shift()) {
      act('code' in answer ? server.fail(answer) : server.succeed(answer))
    }
  }
  for (const piece of pieces) act(server.receive(piece))
  return { sent: toHex(concat(sent)), server }
}

function splits(input: Uint8Array): Uint8Array[][] {
  const ways: Uint8Array[][] = [[input], [...input].map(octet => Uint8Array.of(octet))]
  for (let i = 1; i < input.length; i++) ways.push([input.slice(0, i), input.slice(i)])
  return ways
}

const HANDSHAKES = vectors.exchanges.filter(exchange => exchange.id in CASES)

for (const exchange of HANDSHAKES) {
  const testCase = CASES[exchange.id] as Case
  const steps = tcpSteps(exchange)
  const isData = (step: Step): boolean => step.message === 'data'
  const fromClient = concat(steps.filter(step => step.from === 'client').map(step => octets(step.hex)))
  const expected = steps
    .filter(step => step.from === 'server' && !isData(step))
    .map(step => step.hex)
    .join('')

  test(`${exchange.id}: the server machine answers as written, at every split`, () => {
    for (const pieces of splits(fromClient)) {
      const { sent, server } = serve(testCase, pieces)
      assert.equal(sent, expected)
      const early = steps
        .filter(step => step.from === 'client' && isData(step))
        .map(step => step.hex)
        .join('')
      if (server.phase === 'established' && exchange.id !== 'x-s5-pipelined') {
        assert.equal(toHex(server.takeRemainder()), early)
      }
    }
  })

  if (testCase.client === undefined) continue
  const clientOptions = testCase.client
  test(`${exchange.id}: the client machine writes as written and understands the answer, at every split`, () => {
    const replies = concat(steps.filter(step => step.from === 'server').map(step => octets(step.hex)))
    const written = steps
      .filter(step => step.from === 'client' && !isData(step))
      .map(step => step.hex)
      .join('')
    for (const pieces of splits(replies)) {
      const client = new ClientHandshake(clientOptions)
      const sent: Uint8Array[] = []
      let end = ''
      const act = (events: ReturnType<ClientHandshake['receive']>): void => {
        for (const event of events) {
          if (event.kind === 'send') sent.push(event.octets)
          if (event.kind === 'established') end = 'established'
          if (event.kind === 'failed') end = event.failure.code
        }
      }
      act(client.start())
      for (const piece of pieces) act(client.receive(piece))
      assert.equal(toHex(concat(sent)), written)
      assert.equal(end, testCase.clientEnd)
      const data = steps
        .filter(step => step.from === 'server' && isData(step))
        .map(step => step.hex)
        .join('')
      if (end === 'established') assert.equal(toHex(client.takeRemainder()), data)
    }
  })
}

test('octets glued behind the request come out as the remainder, in order', () => {
  const exchange = vectors.exchanges.find(one => one.id === 'x-s5-pipelined')
  assert.ok(exchange)
  const { server } = serve(CASES['x-s5-pipelined'] as Case, [octets(exchange.steps[0]?.hex ?? '')])
  assert.equal(toHex(server.takeRemainder()), '68656c6c6f')
  assert.equal(server.takeRemainder().length, 0)
})

/** Both handshake machines as targets: whatever comes, in whatever pieces, they say the same and never throw. */
import assert from 'node:assert/strict'
import {
  type ClientHandshakeOptions,
  ClientHandshake,
  type Destination,
  ServerHandshake,
  type ServerHandshakeEvent,
  concat,
  cramClient,
  cramServer,
  jsonClient,
  jsonServer,
  latin1Octets,
  mappingOf,
  noneMethod,
  toHex,
  userPasswordClient,
  userPasswordServer,
} from '@socksmith/protocol'
import { seedsOf } from './decoder-targets.ts'
import type { Target } from './fuzz.ts'

const BOUND: Destination = { address: { type: 'ipv4', octets: Uint8Array.of(192, 0, 2, 1) }, port: 1_080 }
const NAME: Destination = { address: { type: 'domain', name: 'a.example' }, port: 80 }
/** Odd passwords are right, and requests to odd ports are granted: both ways are gone. */
const isOdd = (value: number): boolean => value % 2 === 1

interface Transcript {
  readonly sent: string
  readonly events: readonly string[]
  readonly phase: string
  readonly remainder: string
}

const OPTIONS = { username: latin1Octets('bob'), password: latin1Octets('secret') }

const CLIENTS: readonly ClientHandshakeOptions[] = [
  {
    protocol: 'socks5',
    methods: [noneMethod, userPasswordClient(OPTIONS), cramClient(OPTIONS), jsonClient({ a: 1 })],
    command: 'connect',
    destination: NAME,
  },
  { protocol: 'socks5', methods: [noneMethod], command: 'bind', destination: BOUND },
  { protocol: 'socks4', command: 'bind', destination: BOUND, userid: OPTIONS.username },
  { protocol: 'http', command: 'connect', destination: NAME, credentials: OPTIONS },
]

export const HANDSHAKE_TARGETS: readonly Target[] = [
  {
    name: 'server-handshake',
    seeds: serverSeeds(),
    words: [],
    check: input => checkPieces(input, [0], serverTranscript),
  },
  {
    name: 'client-handshake',
    seeds: clientSeeds(),
    words: [
      Uint8Array.of(5, 0),
      Uint8Array.of(5, 2),
      Uint8Array.of(1, 0),
      Uint8Array.of(5, 0, 0, 1, 1, 2, 3, 4, 0, 80),
    ],
    check: input => checkPieces(input, CLIENTS, clientTranscript),
  },
]

function serverSeeds(): readonly Uint8Array[] {
  const [greeting, password, json] = [Uint8Array.of(5, 1, 0), Uint8Array.of(5, 1, 2), Uint8Array.of(5, 1, 7)]
  const requests = seedsOf('socks5.request')
  return [
    ...seedsOf('socks4.request'),
    ...seedsOf('http.connect-request'),
    ...requests.map(request => concat([greeting, request])),
    ...seedsOf('rfc1929.request').map(login => concat([password, login, requests[1] ?? greeting])),
    ...seedsOf('json').map(block => concat([json, block, requests[1] ?? greeting])),
    Uint8Array.of(5, 1, 5, 5, 3, 97, 98, 99),
  ]
}

function clientSeeds(): readonly Uint8Array[] {
  const replies = seedsOf('socks5.reply')
  const selected = [0, 2, 5, 7].flatMap(method => replies.map(reply => concat([Uint8Array.of(0, 5, method), reply])))
  return [
    ...selected,
    ...seedsOf('rfc1929.reply').map(reply => concat([Uint8Array.of(0, 5, 2), reply, replies[1] ?? reply])),
    ...replies.map(reply => concat([Uint8Array.of(1, 5, 0), reply, reply])),
    ...seedsOf('socks4.reply').map(reply => concat([Uint8Array.of(2), reply, reply])),
    ...seedsOf('http.connect-response').map(reply => concat([Uint8Array.of(3), reply])),
  ]
}

/** The first octet says which of the set-ups is meant, when there are several. */
function checkPieces<T>(
  input: Uint8Array,
  setups: readonly T[],
  run: (setup: T, pieces: readonly Uint8Array[]) => Transcript,
): void {
  const isChosen = setups.length > 1
  const setup = setups[isChosen ? (input[0] ?? 0) % setups.length : 0] as T
  const octets = isChosen ? input.subarray(1) : input
  const whole = run(setup, [octets])
  const middle = octets.length >> 1
  assert.deepEqual(run(setup, [octets.slice(0, middle), octets.slice(middle)]), whole, 'in two pieces')
  assert.deepEqual(
    run(
      setup,
      Array.from(octets, octet => Uint8Array.of(octet)),
    ),
    whole,
    'octet by octet',
  )
}

function serverTranscript(_setup: unknown, pieces: readonly Uint8Array[]): Transcript {
  const machine = new ServerHandshake({
    protocols: { socks4: true, socks5: true, http: true },
    methods: [jsonServer(), cramServer, userPasswordServer, noneMethod],
    passwordRequired: false,
    commands: ['connect', 'bind', 'udp-associate'],
    anyPeer: true,
  })
  const sent: Uint8Array[] = []
  const told: string[] = []
  const act = (events: readonly ServerHandshakeEvent[]): void => {
    for (const event of events) {
      if (event.kind === 'send') sent.push(event.octets)
      else told.push(event.kind === 'failed' ? `failed ${event.failure.code} by ${event.failure.blame}` : event.kind)
      if (event.kind === 'authenticate') {
        const isRight = event.claim.kind !== 'password' || isOdd(event.claim.password.length)
        act(machine.verdict(isRight ? { kind: 'accepted', user: 'bob' } : { kind: 'rejected' }))
      }
      if (event.kind === 'request') {
        const { command, destination } = event.request
        if (isOdd(destination.port)) act(machine.succeed(BOUND))
        else act(machine.fail({ code: 'connection_refused', blame: 'target' }))
        if (command === 'bind' && isOdd(destination.port)) act(machine.succeed(BOUND))
      }
    }
  }
  for (const piece of pieces) act(machine.receive(piece))
  const { phase } = machine
  const remainder = toHex(machine.takeRemainder())
  act(machine.endOfStream())
  assert.equal(machine.deadlineWanted && phase !== 'established', false, 'it waits for a client that has left')
  assert.ok(told.filter(one => one.startsWith('failed')).length <= 1, 'it failed twice')
  return { sent: toHex(concat(sent)), events: told, phase, remainder }
}

function clientTranscript(options: ClientHandshakeOptions, pieces: readonly Uint8Array[]): Transcript {
  const machine = new ClientHandshake(options)
  const sent: Uint8Array[] = []
  const told: string[] = []
  const act = (events: ReturnType<ClientHandshake['receive']>): void => {
    for (const event of events) {
      if (event.kind === 'send') sent.push(event.octets)
      else told.push(event.kind === 'failed' ? `failed ${event.failure.code} by ${event.failure.blame}` : event.kind)
      if (event.kind === 'failed') assert.ok(mappingOf(event.failure.code).exitCode > 0)
      if (event.kind === 'prompt') act(machine.respond(latin1Octets('secret')))
    }
  }
  act(machine.start())
  for (const piece of pieces) act(machine.receive(piece))
  const { phase } = machine
  const remainder = phase === 'failed' ? '' : toHex(machine.takeRemainder())
  act(machine.endOfStream())
  assert.ok(told.filter(one => one.startsWith('failed')).length <= 1, 'it failed twice')
  return { sent: toHex(concat(sent)), events: told, phase, remainder }
}

/** The client's machine against the server's, over a wire that cuts and joins at random. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ClientHandshake,
  type ClientHandshakeOptions,
  type CommandName,
  type Destination,
  ServerHandshake,
  concat,
  noneMethod,
  toHex,
  userPasswordClient,
  userPasswordServer,
} from '@socksmith/protocol'
import * as fc from 'fast-check'

const octetsOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
const port = fc.integer({ min: 1, max: 65_535 })
const notZero = (octets: Uint8Array): boolean => octets.some(octet => octet !== 0)
const ipv4 = octetsOf(4)
  .filter(octets => notZero(octets.subarray(0, 3)))
  .map(octets => ({ type: 'ipv4', octets }) as const)
const ipv6 = octetsOf(16)
  .filter(octets => notZero(octets.subarray(0, 10)))
  .map(octets => ({ type: 'ipv6', octets }) as const)
const label = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/)
const domain = fc
  .array(label, { minLength: 1, maxLength: 5 })
  .map(labels => ({ type: 'domain', name: labels.join('.') }) as const)
const credential = fc.uint8Array({ minLength: 1, maxLength: 255 })
const command = fc.constantFrom<CommandName>('connect', 'bind', 'udp-associate')

interface Scenario {
  readonly client: ClientHandshakeOptions
  readonly password: boolean
}

const destination = (address: fc.Arbitrary<Destination['address']>): fc.Arbitrary<Destination> =>
  fc.record({ address, port })

const socks5: fc.Arbitrary<Scenario> = fc
  .record({
    command,
    destination: destination(fc.oneof(ipv4, ipv6, domain)),
    username: credential,
    password: credential,
    asks: fc.boolean(),
  })
  .map(({ username, password, asks, ...rest }) => ({
    client: {
      protocol: 'socks5',
      methods: asks ? [noneMethod, userPasswordClient({ username, password })] : [noneMethod],
      ...rest,
    },
    password: asks,
  }))
const socks4: fc.Arbitrary<Scenario> = fc
  .record({
    command: fc.constantFrom<CommandName>('connect', 'bind'),
    destination: destination(fc.oneof(ipv4, domain)),
    userid: fc.uint8Array({ min: 1, maxLength: 255 }),
  })
  .map(rest => ({ client: { protocol: 'socks4', ...rest }, password: false }))
const http: fc.Arbitrary<Scenario> = fc
  .record({
    destination: destination(fc.oneof(ipv4, ipv6, domain)),
    username: credential,
    password: credential,
    asks: fc.boolean(),
  })
  .map(({ destination, username, password, asks }) => ({
    client: {
      protocol: 'http',
      command: 'connect',
      destination,
      ...(asks && { credentials: { username: username.filter(octet => octet !== 0x3a), password } }),
    },
    password: asks,
  }))

/** Cuts what is in flight at the places that the numbers say, so that messages arrive split and joined. */
function cut(octets: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [...new Set(cuts.map(place => place % (octets.length + 1)))].toSorted((a, b) => a - b)
  const ends = [...at, octets.length]
  return ends
    .map((end, index) => octets.subarray(index === 0 ? 0 : ends[index - 1], end))
    .filter(piece => piece.length > 0)
}

test('every client that we can be reaches every server that we can be, over any splits, and no octet is lost', () => {
  const property = fc.property(
    fc.oneof(socks5, socks4, http),
    fc.array(fc.nat(), { maxLength: 12 }),
    fc.uint8Array({ maxLength: 64 }),
    fc.uint8Array({ maxLength: 64 }),
    (scenario, cuts, upstream, downstream) => {
      const { command: asked, destination: wanted } = scenario.client
      const server = new ServerHandshake({
        protocols: { socks4: true, socks5: true, http: true },
        methods: [scenario.password ? userPasswordServer : noneMethod],
        passwordRequired: scenario.password,
        commands: ['connect', 'bind', 'udp-associate'],
      })
      const client = new ClientHandshake(scenario.client)
      const bound: Destination = { address: { type: 'ipv4', octets: Uint8Array.of(192, 0, 2, 10) }, port: 4000 }
      let [toServer, toClient]: [Uint8Array[], Uint8Array[]] = [[], []]
      let established = 0
      const onServer = (events: ReturnType<ServerHandshake['receive']>): void => {
        for (const event of events) {
          if (event.kind === 'send') toClient.push(event.octets)
          if (event.kind === 'authenticate') onServer(server.verdict({ kind: 'accepted', user: 'u' }))
          if (event.kind === 'request') {
            assert.equal(event.request.command, asked)
            assert.deepEqual(event.request.destination.port, wanted.port)
            onServer(server.succeed(bound))
            if (asked === 'bind') onServer(server.succeed(bound))
          }
          if (event.kind === 'established') {
            established++
            toClient.push(downstream)
          }
          assert.notEqual(event.kind, 'failed')
        }
      }
      const onClient = (events: ReturnType<ClientHandshake['receive']>): void => {
        for (const event of events) {
          if (event.kind === 'send') toServer.push(event.octets)
          if (event.kind === 'established') {
            established++
            toServer.push(upstream)
          }
          assert.notEqual(event.kind, 'failed')
        }
      }
      onClient(client.start())
      for (let round = 0; round < 20 && (toServer.length > 0 || toClient.length > 0); round++) {
        const [up, down] = [concat(toServer), concat(toClient)]
        toServer = []
        toClient = []
        for (const piece of cut(up, cuts)) onServer(server.receive(piece))
        for (const piece of cut(down, cuts)) onClient(client.receive(piece))
      }
      assert.equal(established, 2)
      assert.equal(toHex(server.takeRemainder()), toHex(upstream))
      assert.equal(toHex(client.takeRemainder()), toHex(downstream))
    },
  )
  fc.assert(property, { numRuns: 1_000 })
})

test('no input of up to 64 KiB makes a machine throw, or hold more than it was given', () => {
  const firstOctets = fc.constantFrom(
    [],
    [4, 1],
    [5, 1, 0],
    [5, 1, 2, 1],
    [0x43, 0x4f, 0x4e],
    [4, 1, 0, 80, 0, 0, 0, 1],
  )
  const input = fc.tuple(firstOctets, fc.uint8Array({ maxLength: 65_536, size: 'max' }))
  const property = fc.property(input, fc.boolean(), ([first, rest], passwordRequired) => {
    const octets = concat([Uint8Array.from(first), rest])
    const server = new ServerHandshake({
      protocols: { socks4: true, socks5: true, http: true },
      methods: [passwordRequired ? userPasswordServer : noneMethod],
      passwordRequired,
      commands: ['connect', 'bind', 'udp-associate'],
    })
    for (let at = 0; at < octets.length; at += 4_096) {
      server.receive(octets.subarray(at, at + 4_096))
      assert.ok(server.bufferedOctets <= at + 4_096)
    }
    server.endOfStream()
    const client = new ClientHandshake({
      protocol: 'socks5',
      methods: [noneMethod],
      command: 'connect',
      destination: { address: { type: 'domain', name: 'a' }, port: 1 },
    })
    client.start()
    client.receive(octets)
    client.endOfStream()
  })
  fc.assert(property, { numRuns: 300 })
})

test('a handshake that is not complete never holds more than its own limits', () => {
  const server = new ServerHandshake({
    protocols: { socks4: true, socks5: true, http: true },
    methods: [noneMethod],
    passwordRequired: false,
    commands: ['connect'],
  })
  const head = new TextEncoder().encode('CONNECT example.com:443 HTTP/1.1\r\nX: ')
  server.receive(head)
  for (let i = 0; i < 16 && server.deadlineWanted; i++) server.receive(new Uint8Array(1_024).fill(0x61))
  assert.equal(server.phase, 'failed')
  assert.equal(server.reply, 431)
})

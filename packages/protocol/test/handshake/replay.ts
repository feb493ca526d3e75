/** Replays the `exchanges` of the vectors: the machines with one method each, the world that they meet, every split. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import {
  type Claim,
  ClientHandshake,
  type Destination,
  type Method,
  ServerHandshake,
  type ServerHandshakeOptions,
  type Verdict,
  concat,
  encodeSocks5Request,
  fromHex,
  latin1Text,
  noneMethod,
  parseIp,
  toHex,
  utf8Octets,
} from '@socksmith/protocol'

export interface Step {
  readonly from: 'client' | 'server'
  readonly message: string
  readonly hex: string
  readonly transport?: string
}
export interface Exchange {
  readonly id: string
  readonly steps: readonly Step[]
}

export const { exchanges } = JSON.parse(readFileSync(new URL('../data/vectors.json', import.meta.url), 'utf8')) as {
  readonly exchanges: readonly Exchange[]
}

export const granted: Destination = ip('192.0.2.10', 40_000)
const request = { command: 1, reserved: 0, destination: named('example.com', 443) }
export const requestHex = toHex(encodeSocks5Request(request))

export const bob = { username: utf8Octets('bob'), password: utf8Octets('secret') }

export function optionsWith(method: Method): ServerHandshakeOptions {
  return {
    protocols: { socks4: true, socks5: true, http: true },
    methods: [method],
    passwordRequired: method !== noneMethod,
    commands: ['connect', 'bind', 'udp-associate'],
  }
}

// The accounts, the token card and the world of the transcripts.
function judge(claim: Claim): Verdict {
  const accepted = { kind: 'accepted', user: 'bob' } as const
  switch (claim.kind) {
    case 'password':
      return toHex(claim.password) === toHex(bob.password) ? accepted : { kind: 'rejected' }
    case 'secret':
      return { ...accepted, secret: bob.password }
    case 'response':
      if (claim.response === undefined) return { kind: 'challenge', text: utf8Octets('otp-md5 499 k') }
      return latin1Text(claim.response) === 'ABCD' ? accepted : { kind: 'rejected' }
  }
}

export interface Served {
  readonly sent: string
  readonly server: ServerHandshake
  readonly asked: Destination | undefined
}

export function serve(options: ServerHandshakeOptions, pieces: readonly Uint8Array[], bound = granted): Served {
  const server = new ServerHandshake(options)
  const sent: Uint8Array[] = []
  let asked: Destination | undefined
  const act = (events: ReturnType<ServerHandshake['receive']>): void => {
    for (const event of events) {
      if (event.kind === 'send') sent.push(event.octets)
      if (event.kind === 'authenticate') act(server.verdict(judge(event.claim)))
      if (event.kind === 'request') {
        asked = event.request.destination
        act(server.succeed(bound))
      }
    }
  }
  for (const piece of pieces) act(server.receive(piece))
  return { sent: toHex(concat(sent)), server, asked }
}

export function call(
  method: Method,
  pieces: readonly Uint8Array[],
): { sent: string; end: string; client: ClientHandshake } {
  const { destination } = request
  const client = new ClientHandshake({ protocol: 'socks5', methods: [method], command: 'connect', destination })
  const sent: Uint8Array[] = []
  let end = 'open'
  const act = (events: ReturnType<ClientHandshake['receive']>): void => {
    for (const event of events) {
      if (event.kind === 'send') sent.push(event.octets)
      if (event.kind === 'prompt') {
        assert.equal(latin1Text(event.text), 'otp-md5 499 k')
        act(client.respond(utf8Octets('ABCD')))
      }
      if (event.kind === 'established') end = 'established'
      if (event.kind === 'failed') end = event.failure.code
    }
  }
  act(client.start())
  for (const piece of pieces) act(client.receive(piece))
  return { sent: toHex(concat(sent)), end, client }
}

export function stepsOf(id: string, everyTransport = false): readonly Step[] {
  const exchange = exchanges.find(one => one.id === id)
  assert.ok(exchange)
  return exchange.steps.filter(step => everyTransport || step.transport === undefined)
}

export function joined(steps: readonly Step[], from: Step['from']): Uint8Array {
  return concat(steps.filter(step => step.from === from).map(step => octetsOf(step.hex)))
}

export function splits(input: Uint8Array): readonly (readonly Uint8Array[])[] {
  const ways: Uint8Array[][] = [[input], [...input].map(octet => Uint8Array.of(octet))]
  for (let i = 1; i < input.length; i++) ways.push([input.slice(0, i), input.slice(i)])
  return ways
}

export function octetsOf(hex: string): Uint8Array {
  const octets = fromHex(hex)
  assert.ok(octets)
  return octets
}

// Chance that is none: these octets, exactly as many as are asked for.
export function chance(hex: string): (length: number) => Uint8Array {
  return length => {
    const octets = octetsOf(hex)
    assert.equal(octets.length, length)
    return octets
  }
}

export function ip(text: string, port: number): Destination {
  const address = parseIp(text)
  assert.ok(address)
  return { address, port }
}

export function named(name: string, port: number): Destination {
  return { address: { type: 'domain', name }, port }
}

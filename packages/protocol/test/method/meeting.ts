/**
 * Both ends of a method, meeting over a wire that is cut anywhere: the machines of client and server with this method,
 * a request, a reply, and five octets each way behind it.
 */
import assert from 'node:assert/strict'
import type { Destination } from '../../src/address.ts'
import { ClientHandshake } from '../../src/handshake/client-handshake.ts'
import { ServerHandshake } from '../../src/handshake/server-handshake.ts'
import type { Claim, Method, Verdict } from '../../src/method/exchange.ts'
import { concat, toHex } from '../../src/octets.ts'
import { latin1Text, utf8Octets } from '../../src/text.ts'

export interface Meeting {
  readonly server: () => Method
  readonly client: () => Method
  readonly judge?: (claim: Claim) => Verdict
  /** The person at the client. */
  readonly respond?: (prompt: string) => string
}

export interface Outcome {
  /** `established`, or the code of the failure. */
  readonly serverEnd: string
  readonly clientEnd: string
  readonly user: string | undefined
  readonly server: ServerHandshake
  readonly client: ClientHandshake
  /** All octets from the client and from the server, in hex. */
  readonly up: string
  readonly down: string
}

/** Cuts what lies at these offsets of its direction. */
type Cut = (octets: Uint8Array, from: number) => readonly Uint8Array[]

/** Runs the meeting with whole messages, octet by octet, and with one cut at every offset of both directions. */
export function meetEverywhere(meeting: Meeting, check: (outcome: Outcome) => void): void {
  const whole = meet(meeting, octets => [octets])
  check(whole)
  check(meet(meeting, octets => [...octets].map(octet => Uint8Array.of(octet))))
  const longest = Math.max(whole.up.length, whole.down.length) / 2
  for (let at = 1; at < longest; at++) {
    const cut: Cut = (octets, from) => [
      octets.subarray(0, Math.max(0, at - from)),
      octets.subarray(Math.max(0, at - from)),
    ]
    const outcome = meet(meeting, cut)
    assert.equal(outcome.up, whole.up)
    assert.equal(outcome.down, whole.down)
    check(outcome)
  }
}

const BOUND: Destination = { address: { type: 'ipv4', octets: Uint8Array.of(192, 0, 2, 10) }, port: 40_000 }

/** Both streams of a meeting that was granted arrived, through whatever protection there is. */
export function assertEstablished(outcome: Outcome): void {
  assert.equal(outcome.serverEnd, 'established')
  assert.equal(outcome.clientEnd, 'established')
  assert.equal(latin1Text(outcome.server.takeRemainder()), 'hello')
  assert.equal(latin1Text(outcome.client.takeRemainder()), 'world')
}

function meet(meeting: Meeting, cut: Cut): Outcome {
  const server = new ServerHandshake({
    protocols: { socks4: false, socks5: true, http: false },
    methods: [meeting.server()],
    passwordRequired: true,
    commands: ['connect'],
  })
  const destination: Destination = { address: { type: 'domain', name: 'example.com' }, port: 443 }
  const client = new ClientHandshake({
    protocol: 'socks5',
    methods: [meeting.client()],
    command: 'connect',
    destination,
  })
  const [up, down]: [Uint8Array[], Uint8Array[]] = [[], []]
  let [serverEnd, clientEnd] = ['open', 'open']
  const onServer = (events: ReturnType<ServerHandshake['receive']>): void => {
    for (const event of events) {
      if (event.kind === 'send') down.push(event.octets)
      if (event.kind === 'authenticate') onServer(server.verdict(meeting.judge?.(event.claim) ?? { kind: 'rejected' }))
      if (event.kind === 'request') onServer(server.succeed(BOUND))
      if (event.kind === 'failed') serverEnd = event.failure.code
      if (event.kind === 'established') {
        serverEnd = 'established'
        down.push(server.protection?.protect(utf8Octets('world')) ?? utf8Octets('world'))
      }
    }
  }
  const onClient = (events: ReturnType<ClientHandshake['receive']>): void => {
    for (const event of events) {
      if (event.kind === 'send') up.push(event.octets)
      if (event.kind === 'prompt') onClient(client.respond(utf8Octets(meeting.respond?.(latin1Text(event.text)) ?? '')))
      if (event.kind === 'failed') clientEnd = event.failure.code
      if (event.kind === 'established') {
        clientEnd = 'established'
        up.push(client.protection?.protect(utf8Octets('hello')) ?? utf8Octets('hello'))
      }
    }
  }
  onClient(client.start())
  let [sentUp, sentDown] = [0, 0]
  for (;;) {
    const [allUp, allDown] = [concat(up), concat(down)]
    if (sentUp === allUp.length && sentDown === allDown.length) break
    for (const piece of cut(allUp.subarray(sentUp), sentUp)) onServer(server.receive(piece))
    for (const piece of cut(allDown.subarray(sentDown), sentDown)) onClient(client.receive(piece))
    sentUp = allUp.length
    sentDown = allDown.length
  }
  const { user } = server
  return { serverEnd, clientEnd, user, server, client, up: toHex(concat(up)), down: toHex(concat(down)) }
}

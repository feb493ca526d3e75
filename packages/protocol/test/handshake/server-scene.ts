/** What the tests of the server's machine share: listeners, octets, and events told in a word each. */
import assert from 'node:assert/strict'
import {
  type Claim,
  type Exchange,
  type Method,
  ServerHandshake,
  type ServerHandshakeOptions,
  latin1Octets,
  noneMethod,
  toHex,
  userPasswordServer,
} from '@socksmith/protocol'
import { octetsOf, optionsWith } from './replay.ts'

export type Events = ReturnType<ServerHandshake['receive']>

export const open = optionsWith(noneMethod)
export const withPassword = optionsWith(userPasswordServer)
export const GREETING = '050100'
export const REQUEST = '0501000101020304 01bb'.replaceAll(' ', '')
export const S4_REQUEST = '04 01 01bb 01020304 626f6200'.replaceAll(' ', '')
export const FAILED_HTTP = latin1Octets('CONNECT no port HTTP/1.1\r\n\r\n')

/** Each event in a word: what was sent in hex, a failure with its code and blame. */
export function told(events: Events): readonly string[] {
  return events.map(event => {
    if (event.kind === 'send') return toHex(event.octets)
    if (event.kind === 'failed') return `${event.failure.code} ${event.failure.blame}`
    return event.kind
  })
}

export function fed(
  options: ServerHandshakeOptions,
  ...pieces: readonly (string | Uint8Array)[]
): [ServerHandshake, Events] {
  const server = new ServerHandshake(options)
  let last: Events = []
  for (const piece of pieces) last = server.receive(typeof piece === 'string' ? octetsOf(piece) : piece)
  return [server, last]
}

export function requestOf(events: Events): unknown {
  const event = events.find(one => one.kind === 'request')
  assert.ok(event?.kind === 'request')
  return event.request
}

export function claimOf(events: Events): Claim {
  const event = events.find(one => one.kind === 'authenticate')
  assert.ok(event?.kind === 'authenticate')
  return event.claim
}

export function methodOf(exchange: Partial<Exchange>, number = 0x80): Method {
  return { number, begin: () => ({ read: () => ({ kind: 'need-more' }), ...exchange }) }
}

export function connect(head: string): Uint8Array {
  return latin1Octets(`CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n${head}\r\n`)
}

/** bob:secret */
export const BASIC = 'Proxy-Authorization: Basic Ym9iOnNlY3JldA==\r\n'

/** Each failure in each language, and where the reply tells an address. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type HandshakeRequest, latin1Text, toHex } from '@socksmith/protocol'
import { httpErrorResponse, refusalOfHttp } from '../../src/handshake/http-front.ts'
import { failureReply, successReply } from '../../src/handshake/reply.ts'
import { commandName } from '../../src/handshake/request.ts'
import { failure } from '../../src/failure.ts'
import { granted, ip, named } from './replay.ts'

function requestOf(protocol: HandshakeRequest['protocol'], command: HandshakeRequest['command']): HandshakeRequest {
  return { protocol, command, destination: named('example.com', 443) }
}

const codes = (protocol: HandshakeRequest['protocol']): readonly number[] =>
  (['not_allowed', 'connection_refused', 'timed_out'] as const).map(cause => failureReply(protocol, cause).code)

test('a refusal by the rules, a dead target and a silent one differ in each language that can say it', () => {
  assert.deepEqual(codes('socks5'), [2, 5, 6])
  assert.deepEqual(codes('http'), [403, 502, 504])
  assert.deepEqual(codes('socks4'), [91, 91, 91])
  assert.deepEqual(codes('socks4a'), [91, 91, 91])
  assert.deepEqual(toHex(failureReply('socks4a', 'identd_mismatch').octets), '005d000000000000')
  assert.deepEqual(toHex(failureReply('socks5', 'connection_refused').octets), '05050001000000000000')
})

test('a REP that a method prescribes is sent as it is', () => {
  assert.deepEqual(
    [failureReply('socks5', 0x11).code, toHex(failureReply('socks5', 0x11).octets)],
    [0x11, '05110001000000000000'],
  )
})

test('SOCKS4 tells an address only where it means something, and only one that it can carry', () => {
  const octets = (command: HandshakeRequest['command'], host: string): string =>
    toHex(successReply(requestOf('socks4', command), ip(host, 80)).octets)
  assert.equal(octets('connect', '1.2.3.4'), '005a000000000000')
  assert.equal(octets('bind', '1.2.3.4'), '005a005001020304')
  assert.equal(octets('resolve', '1.2.3.4'), '005a005001020304')
  assert.equal(octets('bind', '2001:db8::1'), '005a005000000000')
  assert.equal(octets('resolve', '2001:db8::1'), '005a000000000000')
  assert.equal(successReply(requestOf('socks4a', 'connect'), granted).code, 90)
})

test('success in SOCKS5 and HTTP', () => {
  assert.deepEqual(successReply(requestOf('socks5', 'connect'), granted).code, 0)
  const { code, octets } = successReply(requestOf('http', 'connect'), granted)
  assert.deepEqual([code, latin1Text(octets)], [200, 'HTTP/1.1 200 Connection established\r\n\r\n'])
})

test('an HTTP refusal is a whole response of its own length, after which nothing follows', () => {
  for (const status of [400, 403, 407, 431, 501, 502, 503, 504, 599]) {
    const [head = '', body = ''] = latin1Text(httpErrorResponse(status)).split('\r\n\r\n')
    const [line = '', ...fields] = head.split('\r\n')
    assert.match(line, new RegExp(`^HTTP/1\\.1 ${status} \\w`, 'u'))
    const names = fields.map(field => field.slice(0, field.indexOf(':')))
    const asks = status === 407 ? ['Proxy-Authenticate'] : []
    assert.deepEqual(names, ['Content-Type', 'Content-Length', ...asks, 'Connection', 'Proxy-Connection'])
    for (const field of ['Content-Type: text/plain; charset=utf-8', `Content-Length: ${body.length}`])
      assert.ok(fields.includes(field), field)
    assert.deepEqual(fields.slice(-2), ['Connection: close', 'Proxy-Connection: close'])
    assert.match(body, /^\w.*\.\n$/u)
  }
  assert.match(
    latin1Text(httpErrorResponse(407)),
    /\r\nProxy-Authenticate: Basic realm="socksmith", charset="UTF-8"\r\n/u,
  )
  assert.match(latin1Text(httpErrorResponse(599)), /^HTTP\/1\.1 599 Error\r\n/u)
})

test('a head that is too large is told apart from one that is broken', () => {
  assert.equal(refusalOfHttp(failure('header_too_large', 'client')).code, 431)
  assert.equal(refusalOfHttp(failure('bad_syntax', 'client')).code, 400)
})

test('commands have the octets of the RFC and of Tor', () => {
  const names = [1, 2, 3, 0xf0, 0xf1, 0, 4].map(octet => commandName(octet))
  assert.deepEqual(names, ['connect', 'bind', 'udp-associate', 'resolve', 'resolve-ptr', undefined, undefined])
})

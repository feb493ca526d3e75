/** What a head of HTTP comes to does not depend on how many of its octets arrive at once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  HTTP_FIELDS_MAX,
  HTTP_HEAD_OCTETS_MAX,
  basicCredentials,
  decodeHttpConnectRequest,
  decodeHttpConnectResponse,
  decodeHttpResponseHead,
  formatDestination,
  latin1Octets,
  latin1Text,
} from '@socksmith/protocol'

test('a flood that is no HTTP is told as that, in one piece too', () => {
  const flood = new Uint8Array(20_000)
  for (const octets of [flood.subarray(0, 1), flood]) {
    const decoded = decodeHttpResponseHead(octets)
    assert.equal(decoded.kind === 'malformed' && decoded.failure.code, 'bad_syntax')
  }
})

function requestOf(head: string): string {
  const decoded = decodeHttpConnectRequest(latin1Octets(head))
  if (decoded.kind === 'whole') return formatDestination(decoded.value.destination)
  return decoded.kind === 'malformed' ? decoded.failure.code : decoded.kind
}

const lineOf = (text: string): string => requestOf(`${text}\r\n\r\n`)

test('a request line is this one and nothing around it', () => {
  assert.equal(lineOf('CONNECT a.b:443 HTTP/1.1'), 'a.b:443')
  assert.equal(lineOf('CONNECT a.b:443 HTTP/1.0'), 'a.b:443')
  for (const wrong of [
    'CONNECT a.b:443 HTTP/1.2',
    'CONNECT a.b:443 HTTP/1.1 ',
    'CONNECT a.b:443 HTTP/1.11',
    'CONNECT  a.b:443 HTTP/1.1',
    'CONNECT a.b:443',
    'CONNECT a.b:443 CONNECT a.b:443 HTTP/1.1',
  ])
    assert.equal(lineOf(wrong), 'bad_syntax', wrong)
})

const targetOf = (text: string): string => requestOf(`CONNECT ${text} HTTP/1.1\r\n\r\n`)

test('a target is a host and a port from 1 to 65535, and nothing else', () => {
  for (const right of ['a.b:1', 'a.b:65535', '1.2.3.4:80', '[::1]:80']) assert.equal(targetOf(right), right)
  for (const wrong of ['a.b', 'a.b:', 'a.b:0', 'a.b:65536', 'a.b:99999', 'a.b:100000', ':80', '::1:80', '[a.b]:80'])
    assert.equal(targetOf(wrong), 'bad_target', wrong)
  for (const wrong of ['[::1]:80x', 'x[::1]:80', 'a.b:80/', 'u@a.b:80x', 'http://a.b:80', 'a[b:80'])
    assert.equal(targetOf(wrong), 'bad_target', wrong)
})

test('a line that ends without CR LF is refused, wherever it stands', () => {
  for (const head of [
    'CONNECT a.b:443 HTTP/1.1\n\r\n',
    'CONNECT a.b:443 HTTP/1.1\r\n\n',
    'CONNECT a.b:443 HTTP/1.1\r\nA: b\n',
  ])
    assert.equal(requestOf(head), 'bad_syntax')
  assert.equal(requestOf('CONNECT a.b:443 HTTP/1.1\r\nHost: a\r\n'), 'need-more')
})

const fieldOf = (text: string): string => requestOf(`CONNECT a.b:443 HTTP/1.1\r\n${text}\r\n\r\n`)

test('fields hold no control, no second line, and no name with blanks', () => {
  for (const right of ['Host: a', 'Host:a', 'X-1:', 'A:\t b \t', 'A: \u00e9'])
    assert.equal(fieldOf(right), 'a.b:443', right)
  for (const wrong of ['Host', ': a', 'Ho st: a', ' Host: a', 'Host : a', 'A: \0', 'A: b\rc', 'A: \x7f', '(x): a'])
    assert.equal(fieldOf(wrong), 'bad_syntax', wrong)
  const decoded = decodeHttpConnectRequest(latin1Octets('CONNECT a.b:1 HTTP/1.1\r\nHoSt: \t Example \t\r\n\r\nrest'))
  assert.ok(decoded.kind === 'whole')
  assert.deepEqual(decoded.value.headers, [['host', 'Example']])
  assert.equal(decoded.consumed, 'CONNECT a.b:1 HTTP/1.1\r\nHoSt: \t Example \t\r\n\r\n'.length)
})

test('a head has so many fields and so many octets, and not one more', () => {
  const start = 'CONNECT a.b:443 HTTP/1.1\r\n'
  const fields = (count: number): string => requestOf(`${start}${'A: b\r\n'.repeat(count)}\r\n`)
  assert.equal(fields(HTTP_FIELDS_MAX), 'a.b:443')
  assert.equal(fields(HTTP_FIELDS_MAX + 1), 'header_too_large')
  const long = (length: number): string => requestOf(`${start}A: ${'x'.repeat(length - start.length - 7)}\r\n\r\n`)
  assert.equal(long(HTTP_HEAD_OCTETS_MAX), 'a.b:443')
  assert.equal(long(HTTP_HEAD_OCTETS_MAX + 1), 'header_too_large')
  assert.equal(requestOf(`${start}A: ${'x'.repeat(HTTP_HEAD_OCTETS_MAX - start.length - 4)}`), 'need-more')
  assert.equal(requestOf(`${start}A: ${'x'.repeat(HTTP_HEAD_OCTETS_MAX - start.length - 3)}`), 'header_too_large')
})

const answerTo = (line: string): string => {
  const decoded = decodeHttpConnectResponse(latin1Octets(`${line}\r\n\r\n`))
  return decoded.kind === 'malformed' ? `${decoded.failure.code} ${decoded.failure.status ?? ''}`.trim() : decoded.kind
}

test('only 2xx opens a tunnel', () => {
  for (const line of ['HTTP/1.1 200 OK', 'HTTP/1.0 200', 'HTTP/1.1 299 \u00e9', 'HTTP/1.1 200 '])
    assert.equal(answerTo(line), 'whole', line)
  assert.equal(answerTo('HTTP/1.1 199 x'), 'http_status 199')
  assert.equal(answerTo('HTTP/1.1 300 x'), 'http_status 300')
  assert.equal(answerTo('HTTP/1.1 407 x'), 'http_status 407')
  for (const line of [
    'HTTP/1.1 2000',
    'HTTP/1.1 20',
    'HTTP/1.1 600 x',
    'HTTP/1.1 200x',
    'HTTP/1.1 200 \x01',
    'HTTP/1.2 200',
  ])
    assert.equal(answerTo(line), 'bad_syntax', line)
})

const credentialsOf = (value: string): string | undefined => {
  const found = basicCredentials([
    ['host', 'a'],
    ['proxy-authorization', value],
  ])
  return found && `${latin1Text(found.username)} ${latin1Text(found.password)}`
}

test('credentials are those of the first field, in Basic, in valid base64, with a colon', () => {
  assert.equal(credentialsOf('Basic Ym9iOnNlY3JldA=='), 'bob secret')
  assert.equal(credentialsOf('basic   Ym9iOnNlY3JldA'), 'bob secret')
  assert.equal(credentialsOf('Basic Ym9iOg=='), 'bob ')
  assert.equal(credentialsOf('Basic Ym9iOmE6Yg=='), 'bob a:b')
  const wrong = [
    'Bearer Ym9iOg==',
    'xBasic Ym9iOg==',
    'BasicYm9iOg==',
    'Basic Ym9i',
    'Basic Y',
    'Basic Ym9iOg== x',
    'Basic =Ym9iOg',
    '',
  ]
  for (const value of wrong) assert.equal(credentialsOf(value), undefined, value)
  assert.equal(basicCredentials([]), undefined)
  assert.equal(basicCredentials([['authorization', 'Basic Ym9iOg==']]), undefined)
})

/** Octets and texts against what Node has, and the octets that are no text. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { base64Octets, base64Text, latin1Octets, latin1Text, utf8Octets, utf8Text } from '@socksmith/protocol'

/** The first and the last character of each length in UTF-8, and of both sides of the surrogates. */
const EDGES = [0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffd, 0xffff, 0x10000, 0x10ffff]

test('UTF-8 is that of Node, both ways, at each edge', () => {
  for (const code of EDGES) {
    const text = `a${String.fromCodePoint(code)}b`
    assert.deepEqual(utf8Octets(text), new Uint8Array(Buffer.from(text)), code.toString(16))
    assert.equal(utf8Text(utf8Octets(text)), text)
  }
  assert.equal(utf8Text(new Uint8Array(0)), '')
})

test('half of a surrogate pair is written as U+FFFD', () => {
  for (const half of ['\ud800', '\udbff', '\udc00', '\udfff'])
    assert.deepEqual(utf8Octets(half), Uint8Array.of(0xef, 0xbf, 0xbd))
})

test('what is no UTF-8 for Node is none here: overlong, surrogates, too high, cut, alone', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const ofNode = (octets: Uint8Array): string | undefined => {
    try {
      return strict.decode(octets)
    } catch {
      return undefined
    }
  }
  const next = [0x00, 0x2e, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff]
  for (let lead = 0; lead < 0x100; lead++) {
    const tries = [
      [lead],
      ...next.flatMap(one => [
        [lead, one],
        [lead, one, 0x80],
        [lead, one, 0xbf, 0xbf],
        [lead, 0x80, one, 0x80],
        [lead, 0xbf, 0xbf, one],
      ]),
    ]
    for (const one of tries) assert.equal(utf8Text(Uint8Array.from(one)), ofNode(Uint8Array.from(one)), one.join(' '))
  }
})

test('Latin-1 has one character for each octet', () => {
  const all = Uint8Array.from({ length: 256 }, (_, octet) => octet)
  assert.deepEqual(latin1Octets(latin1Text(all)), all)
  assert.deepEqual(latin1Octets('\u0141'), Uint8Array.of(0x41))
})

test('base64 is that of Node, both ways, with and without padding', () => {
  for (let length = 0; length < 20; length++) {
    const octets = Uint8Array.from({ length }, (_, at) => (at * 89 + 250) & 0xff)
    const text = Buffer.from(octets).toString('base64')
    assert.equal(base64Text(octets), text)
    assert.deepEqual(base64Octets(text), octets)
    assert.deepEqual(base64Octets(text.replaceAll('=', '')), octets)
  }
})

test('what is no base64 is refused', () => {
  for (const text of ['A', 'AAAAA', 'AA=A', '=AAA', 'AA===', 'A A', 'AA-_', 'AAA\n', '\u00e9AAA', 'AAA\u00e9'])
    assert.equal(base64Octets(text), undefined, text)
})

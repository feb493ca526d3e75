/** Protected streams and datagrams of GSSAPI: pieces, limits, and what does not unwrap. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GssapiProtection } from '../../src/method/gssapi-protection.ts'
import { concat, toHex } from '../../src/octets.ts'
import { PLAIN_OCTETS_MAX } from '../../src/wire/gssapi-frame.ts'
import { mockGssapi } from '../wire/mock-gssapi.ts'
import { octetsOf } from './exchange-steps.ts'

const protection = () => new GssapiProtection({ context: mockGssapi, level: 2, confidential: true, sender: 'client' })
const codeOf = (opened: ReturnType<GssapiProtection['unprotect']>): string | undefined =>
  opened instanceof Uint8Array ? undefined : `${opened.code} ${opened.blame}`

suite('protection by GSSAPI', () => {
  test('cuts a stream into frames of at most 16 KiB, and joins them again from any pieces', () => {
    const plain = Uint8Array.from({ length: 2 * PLAIN_OCTETS_MAX + 5 }, (_, index) => index & 0xff)
    const wire = protection().protect(plain)
    assert.equal(wire.length, plain.length + 3 * 6)
    for (const size of [1_000, 4_099, wire.length]) {
      const receiver = protection()
      const opened: Uint8Array[] = []
      for (let at = 0; at < wire.length; at += size) {
        // The caller uses its buffer again.
        const buffer = wire.slice(at, at + size)
        const piece = receiver.unprotect(buffer)
        assert.ok(piece instanceof Uint8Array)
        opened.push(piece)
        buffer.fill(0)
      }
      assert.equal(toHex(concat(opened)), toHex(plain))
    }
  })

  test('sends nothing for nothing', () => {
    assert.equal(protection().protect(new Uint8Array(0)).length, 0)
  })

  test('a failure is final', () => {
    for (const [hex, code] of [
      ['0103000458010101', 'unwrap_failed client'],
      ['0103000357000a', 'unwrap_failed client'],
      ['01ff', 'aborted client'],
      ['0101', 'unexpected_message client'],
      ['05', 'bad_version client'],
    ] as const) {
      const receiver = protection()
      assert.equal(codeOf(receiver.unprotect(octetsOf(hex))), code)
      assert.equal(codeOf(receiver.unprotect(octetsOf('010300035701aa'))), code)
    }
  })

  test('a datagram is a frame of data: a token or an abort is none, and its sender is to blame', () => {
    for (const sender of ['client', 'server'] as const) {
      const receiver = new GssapiProtection({ context: mockGssapi, level: 2, confidential: true, sender })
      for (const [hex, code] of [
        ['010100035701aa', 'unexpected_message'],
        ['010200035701aa', 'unexpected_message'],
        ['01ff', 'aborted'],
        ['0103000458010101', 'unwrap_failed'],
      ] as const)
        assert.equal(codeOf(receiver.unprotectDatagram(octetsOf(hex))), `${code} ${sender}`)
    }
  })

  test('one datagram is one frame; a bad one does not disturb the next', () => {
    const receiver = protection()
    const datagram = receiver.protectDatagram(octetsOf('aabb'))
    assert.ok(datagram)
    assert.equal(toHex(datagram), '010300045701aabb')
    assert.equal(codeOf(receiver.unprotectDatagram(datagram.subarray(0, 6))), 'truncated client')
    assert.equal(codeOf(receiver.unprotectDatagram(concat([datagram, datagram]))), 'bad_length client')
    assert.equal(codeOf(receiver.unprotectDatagram(octetsOf('010300035700aa'))), 'unwrap_failed client')
    const opened = receiver.unprotectDatagram(datagram)
    assert.ok(opened instanceof Uint8Array)
    assert.equal(toHex(opened), 'aabb')
    assert.equal(receiver.protectDatagram(new Uint8Array(65_534)), undefined)
  })
})

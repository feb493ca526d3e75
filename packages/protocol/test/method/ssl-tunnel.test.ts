/** The data flow of the SSL method: frames of any size, failures that stay, what TLS itself has to say. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { SSL_DATA_OCTETS_MAX, SslProtection, type TlsStream } from '../../src/method/ssl-tunnel.ts'
import { NO_OCTETS, toHex } from '../../src/octets.ts'
import { SSL_STATE } from '../../src/wire/ssl-frame.ts'
import { octetsOf } from './exchange-steps.ts'
import { nullTls } from './null-tls.ts'

const protection = (tls: TlsStream = nullTls, pending = NO_OCTETS) =>
  new SslProtection({ tls, sender: 'server', reached: SSL_STATE.options, pending })
const shown = (opened: ReturnType<SslProtection['unprotect']>): string =>
  opened instanceof Uint8Array ? toHex(opened) : `${opened.code} ${opened.blame}`

suite('protection by SSL', () => {
  test('cuts into frames what LEN cannot say, and joins them again', () => {
    const plain = new Uint8Array(SSL_DATA_OCTETS_MAX + 1).fill(9)
    const wire = protection().protect(plain)
    assert.equal(wire.length, plain.length + 8)
    assert.equal(shown(protection().unprotect(wire)), toHex(plain))
  })

  test('gives the octets that were there already first, and once', () => {
    const receiver = protection(nullTls, octetsOf('aa'))
    assert.equal(shown(receiver.unprotect(octetsOf('0103 0001'))), 'aa')
    assert.equal(shown(receiver.unprotect(octetsOf('bb'))), 'bb')
  })

  test('takes states that go forward, and a failure is final', () => {
    const receiver = protection()
    assert.equal(shown(receiver.unprotect(octetsOf('01020001aa 01030001bb 01040000'))), 'aabb')
    assert.equal(shown(receiver.unprotect(octetsOf('0103'))), 'bad_state server')
    assert.equal(shown(receiver.unprotect(octetsOf('01040000'))), 'bad_state server')
  })

  test('what TLS refuses stays refused', () => {
    let calls = 0
    const open = (): ReturnType<TlsStream['open']> => {
      calls++
      return { code: 'bad_checksum', blame: 'server' }
    }
    const receiver = protection({ ...nullTls, open })
    assert.equal(shown(receiver.unprotect(octetsOf('01030001aa'))), 'bad_checksum server')
    assert.equal(shown(receiver.unprotect(octetsOf('01030001aa'))), 'bad_checksum server')
    assert.equal(calls, 1)
  })

  test('what TLS itself has to say leaves in front of the next octets', () => {
    const sender = protection({ ...nullTls, takeOutgoing: () => octetsOf('18') })
    assert.equal(toHex(sender.protect(octetsOf('aa'))), '0103000218aa')
  })
})

/** Options are whole words, each inside the list: what one of them says of its length is never believed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SOCKS6_OPTIONS_OCTETS_MAX, decodeSocks6Options, encodeSocks6Options, toHex } from '@socksmith/protocol'
import { octetsOf } from '../vectors.ts'

function isRefused(hex: string): boolean {
  const options = decodeSocks6Options(octetsOf(hex), 'client')
  return 'kind' in options && options.failure.code === 'bad_length'
}

test('lengths that are not whole words are refused, even when they add up', () => {
  assert.ok(isRefused('000500060000000600060000'))
})

test('a length of 0, of the head alone cut off, and beyond the list are refused', () => {
  assert.ok(isRefused('00050000'))
  assert.ok(isRefused('0005000400'))
  assert.ok(isRefused('00050008'))
})

test('unknown kinds are kept in their place', () => {
  const options = [
    { kind: 0xfffe, data: Uint8Array.of(1, 2, 3, 4) },
    { kind: 5, data: new Uint8Array(0) },
  ]
  const octets = encodeSocks6Options(options)
  assert.equal(toHex(octets), 'fffe00080102030400050004')
  assert.deepEqual(decodeSocks6Options(octets, 'client'), options)
})

test('options that no message can hold are a bug of the caller', () => {
  assert.throws(() => encodeSocks6Options([{ kind: 1, data: new Uint8Array(3) }]), RangeError)
  assert.throws(() => encodeSocks6Options([{ kind: 1, data: new Uint8Array(SOCKS6_OPTIONS_OCTETS_MAX) }]), RangeError)
})

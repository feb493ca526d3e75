/** Two protections in one: their order, their failures, and datagrams, which need both. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Protection } from '../../src/method/exchange.ts'
import { layeredProtection } from '../../src/method/layered-protection.ts'
import { failure } from '../../src/failure.ts'
import { concat, toHex } from '../../src/octets.ts'

/** Puts a mark in front, and wants it there. */
function marking(mark: number): Required<Protection> {
  const protect = (octets: Uint8Array): Uint8Array => concat([Uint8Array.of(mark), octets])
  const unprotect: Protection['unprotect'] = octets =>
    octets[0] === mark ? octets.slice(1) : failure('unwrap_failed', 'client', `no ${mark}`)
  return { protect, unprotect, protectDatagram: protect, unprotectDatagram: unprotect }
}

const plain = Uint8Array.of(9)

suite('layered protection', () => {
  test('puts the inner one inside, for streams and for datagrams', () => {
    const both = layeredProtection(marking(1), marking(2))
    assert.ok(both)
    assert.equal(toHex(both.protect(plain)), '020109')
    assert.deepEqual(both.protectDatagram?.(plain), Uint8Array.of(2, 1, 9))
    assert.deepEqual(both.unprotect(Uint8Array.of(2, 1, 9)), plain)
    assert.deepEqual(both.unprotectDatagram?.(Uint8Array.of(2, 1, 9)), plain)
  })

  test('the failure of either is a failure', () => {
    const both = layeredProtection(marking(1), marking(2))
    assert.deepEqual(both?.unprotect(Uint8Array.of(1, 2)), failure('unwrap_failed', 'client', 'no 2'))
    assert.deepEqual(both?.unprotectDatagram?.(Uint8Array.of(2, 2)), failure('unwrap_failed', 'client', 'no 1'))
  })

  test('carries datagrams only when both do, and one alone is itself', () => {
    const { protect, unprotect } = marking(1)
    const streamOnly: Protection = { protect, unprotect }
    for (const half of [
      { ...streamOnly, protectDatagram: protect },
      { ...streamOnly, unprotectDatagram: unprotect },
    ]) {
      const layered = layeredProtection(half, marking(2))
      assert.ok(layered && !('protectDatagram' in layered) && !('unprotectDatagram' in layered))
    }
    assert.equal(layeredProtection(streamOnly, marking(2))?.protectDatagram?.(plain), undefined)
    assert.equal(layeredProtection(marking(2), streamOnly)?.protectDatagram?.(plain), undefined)
    assert.equal(layeredProtection(streamOnly, undefined), streamOnly)
    assert.equal(layeredProtection(undefined, streamOnly), streamOnly)
    assert.equal(layeredProtection(), undefined)
  })
})

/** Names that are no names are still kept octet for octet. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeSocks5Reply, encodeSocks5Reply, fromHex, toHex } from '@socksmith/protocol'

for (const name of ['ff', '0000', '000000656c61', '0000c3bf', '0000ff']) {
  test(`the name ${name} in a reply is written again as it was read`, () => {
    const hex = `05000003${(name.length / 2).toString(16).padStart(2, '0')}${name}0050`
    const decoded = decodeSocks5Reply(fromHex(hex) ?? new Uint8Array(0))
    assert.ok(decoded.kind === 'whole')
    assert.equal(toHex(encodeSocks5Reply(decoded.value)), hex)
  })
}

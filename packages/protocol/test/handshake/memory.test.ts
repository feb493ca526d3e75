/** What a handshake that does not come to its end holds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ServerHandshake, type ServerHandshakeOptions } from '@socksmith/protocol'
import { open, withPassword } from './server-scene.ts'

const WARM_UP = 100
const HANDSHAKES = 2_000
const OCTETS_MAX = 4 * 1_024

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (options: object) => void

async function heldOctets(): Promise<number> {
  // What an array was made of is counted until a sweep in the background is done with it.
  for (let turn = 0; turn < 3; turn++) {
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    await new Promise(resolve => setImmediate(resolve))
  }
  const { used_heap_size: used, external_memory: external } = getHeapStatistics()
  return used + external
}

// Each as long as it gets, without its last octet.
const UNFINISHED = {
  'SOCKS5, 255 methods': [open, Buffer.of(5, 255, ...Array.from({ length: 254 }, (_, index) => index + 1))],
  'SOCKS5, a name of 255 octets': [
    open,
    Buffer.from(`\u{5}\u{1}\0\u{5}\u{1}\0\u{3}\u{ff}${'x'.repeat(255)}P`, 'latin1'),
  ],
  'RFC 1929, 255 octets each': [
    withPassword,
    Buffer.from(`\u{5}\u{1}\u{2}\u{1}\u{ff}${'u'.repeat(255)}\u{ff}${'p'.repeat(254)}`, 'latin1'),
  ],
  'SOCKS4a, a user id and a name of 255 octets': [
    open,
    Buffer.from(`\u{4}\u{1}\0P\0\0\0\u{1}${'u'.repeat(255)}\0${'x'.repeat(255)}`, 'latin1'),
  ],
} as const

// What one test lets go of would be missing in the next one.
const kept: (readonly ServerHandshake[])[] = []

function waiting(options: ServerHandshakeOptions, octets: Uint8Array): ServerHandshake {
  const server = new ServerHandshake(options)
  for (const octet of octets) server.receive(Uint8Array.of(octet))
  return server
}

for (const [what, [options, octets]] of Object.entries(UNFINISHED)) {
  test(`octet by octet and not to the end, a handshake holds at most 4 KiB: ${what}`, async () => {
    // What is compiled and made once is there before.
    const held = Array.from({ length: WARM_UP }, () => waiting(options, octets))
    kept.push(held)
    const before = await heldOctets()
    while (held.length < WARM_UP + HANDSHAKES) held.push(waiting(options, octets))
    const each = ((await heldOctets()) - before) / HANDSHAKES
    assert.ok(each > 0 && each <= OCTETS_MAX, `${Math.round(each)} octets each`)
    // One more, and each goes on.
    for (const server of held) assert.notDeepEqual(server.receive(Uint8Array.of(0)), [])
  })
}

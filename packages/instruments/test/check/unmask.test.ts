/** The password is put into a login that the server has just asked for, and into nothing else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseProxyUrl } from '@socksmith/instruments'
import type { Masked, TranscriptEvent } from '../../src/check/transcript.ts'
import { type Said, unmasked } from '../../src/check/unmask.ts'

const proxy = parseProxyUrl('socks5://alice:Open%20sesame@127.0.0.1')
assert.ok(typeof proxy !== 'string')

const ASKED: Said = {
  role: { kind: 'proxy' },
  sent: Uint8Array.of(5, 1, 2),
  heard: Uint8Array.of(5, 2),
}

function starsOf(text: string): Masked {
  return { offset: text.indexOf('*'), length: text.split('*').length - 1 }
}

/** `*` are the masked octets: what stands in the transcript in place of the password. */
function sent(text: string, masked: Masked): TranscriptEvent {
  const octets = Buffer.from(text, 'latin1')
  return { atMs: 0, connection: 1, kind: 'sent', octets: octets.toString('hex'), masked }
}

function told(text: string, said: Said = ASKED, masked: Masked = starsOf(text)): string | undefined {
  assert.ok(typeof proxy !== 'string')
  const octets = unmasked(sent(text, masked), said, proxy)
  return typeof octets === 'string' ? undefined : Buffer.from(octets).toString('latin1')
}

const STARS = '*'.repeat(11)

test('a login gets the password back: the whole, its beginning, with more behind it, of any user', () => {
  assert.equal(told(`\u0001\u0005alice\u000b${STARS}`), '\u0001\u0005alice\u000bOpen sesame')
  assert.equal(told('\u0001\u0005alice\u000a**********'), '\u0001\u0005alice\u000aOpen sesam')
  assert.equal(told(`\u0001\u0003bob\u000c${STARS}xtail`), '\u0001\u0003bob\u000cOpen sesamextail')
  assert.equal(told(`\u0005\u0005alice\u000b${STARS}`), '\u0005\u0005alice\u000bOpen sesame')
})

test('what is no login, or might be read as something else, does not', () => {
  for (const text of [
    STARS,
    `STOLEN:${STARS}`,
    `\u0001\u0005alice\u000b:${STARS}`,
    `\u0001\u0005alice\u0003${STARS}`,
    `\u0001\u0005alice\u000c${STARS}`,
    // A request for a name, when one reads it so: 05 CONNECT 00 ATYP 03.
    '\u0005\u0001\u0000\u0003***',
  ]) {
    assert.equal(told(text), undefined, JSON.stringify(text))
  }
})

test('a login that the server has not asked for just now stays masked', () => {
  const login = `\u0001\u0005alice\u000b${STARS}`
  for (const said of [
    { ...ASKED, role: { kind: 'bind-peer', of: 1, from: '127.0.0.1' } },
    { ...ASKED, heard: new Uint8Array(0) },
    { ...ASKED, heard: Uint8Array.of(5, 0) },
    { ...ASKED, heard: Uint8Array.of(0, 5, 2) },
    { ...ASKED, sent: new Uint8Array(0) },
    { ...ASKED, sent: Uint8Array.of(5, 1, 2, 1) },
    { ...ASKED, sent: Uint8Array.of(4, 1, 2) },
  ] as const) {
    assert.equal(told(login, said), undefined, JSON.stringify(said))
  }
})

function begun(text: string): Said {
  return { ...ASKED, sent: Buffer.from(`\u0005\u0001\u0002${text}`, 'latin1') }
}

function octet(from: number): Masked {
  return { offset: 0, length: 1, from }
}

test('a login that is sent octet by octet gets each octet of the password, as long as the server says nothing', () => {
  const name = '\u0001\u0005alice\u000b'
  assert.equal(told('*', begun(name), octet(0)), 'O')
  assert.equal(told('*', begun(`${name}Open sesam`), octet(10)), 'e')
  for (const [said, masked] of [
    [begun(name), octet(1)],
    [begun(`${name}Open sesame`), octet(10)],
    [begun(`${name}Open sesame`), octet(11)],
    [{ ...begun(name), heard: Uint8Array.of(5, 2, 1, 1) }, octet(0)],
    [begun('\u0001\u0005STEAL\u000b'), octet(0)],
    [begun('\u0005\u0005alice\u000b'), octet(0)],
  ] as const) {
    assert.equal(told('*', said, masked), undefined, JSON.stringify(masked))
  }
  assert.equal(told('**', begun(name), { offset: 0, length: 2 }), undefined)
})

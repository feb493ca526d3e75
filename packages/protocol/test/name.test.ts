/** Names at their longest, the octets that no name has, and the form in which names are compared. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkName, checkNameText, comparableName, latin1Octets } from '@socksmith/protocol'

/** The code of what is wrong, or the name. */
function toldOf(name: string): string {
  const check = checkNameText(name)
  return check.ok ? check.name : check.code
}

const label = (length: number): string => 'a'.repeat(length)

test('a name is taken as it is, also with a dot behind, in other scripts, and as an address', () => {
  for (const name of ['a', 'host.example', 'host.example.', '_srv.x-y', 'b\u00fccher.example', '\u{1f600}.example'])
    assert.equal(toldOf(name), name)
  for (const name of ['192.0.2.1', '2001:db8::1', '::', '::ffff:1.2.3.4']) assert.equal(toldOf(name), name)
})

test('a label has 63 octets at most and a name 253, without the dot behind', () => {
  const longest = [63, 63, 63, 61].map(label).join('.')
  assert.equal(longest.length, 253)
  for (const name of [label(63), `${label(63)}.a`, `a.${label(63)}`, longest, `${longest}.`])
    assert.equal(toldOf(name), name)
  for (const name of [label(64), `${label(64)}.a`, `a.${label(64)}`, `${longest}a`, `${longest}a.`, `${longest}.a`])
    assert.equal(toldOf(name), 'name_too_long')
  // Octets count, not characters.
  assert.equal(toldOf(`${label(61)}\u00fc`), `${label(61)}\u00fc`)
  assert.equal(toldOf(`${label(62)}\u00fc`), 'name_too_long')
})

test('a name has something in each label', () => {
  for (const name of ['', '.']) assert.equal(toldOf(name), 'empty_name')
  for (const name of ['..', '.a', 'a..b', 'a..', '.a.']) assert.equal(toldOf(name), 'name_bad_char')
})

test('no octet that another reader takes for something else is in a name; NUL is told by itself', () => {
  const bad = '/\\@#?%[]:\u007f'
  for (let code = 1; code < 0x80; code++) {
    const character = String.fromCharCode(code)
    const isBad = code <= 0x20 || bad.includes(character)
    for (const name of [`x${character}y`, `${character}y`, `y${character}`]) {
      if (character !== '.') assert.equal(toldOf(name), isBad ? 'name_bad_char' : name, `${code}`)
    }
  }
  for (const name of ['\0', 'a\0', '\0a', 'a\0 b', `${label(300)}\0`]) assert.equal(toldOf(name), 'name_has_nul')
  // What is not UTF-8 has no text.
  for (const octets of ['\u00ff', 'a\u00c3', '\u00c0\u0080'].map(latin1Octets))
    assert.deepEqual(checkName(octets), { ok: false, code: 'name_bad_char' })
})

test('names are compared in lower case and without the dot behind', () => {
  assert.deepEqual(['Host.Example.', 'host.example', '.', 'a..', ''].map(comparableName), [
    'host.example',
    'host.example',
    '',
    'a.',
    '',
  ])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Policy, readPolicy } from '@socksmith/policy'
import type { OpenPolicy } from '../../src/policy/open-policy.ts'
import { hasOtherGeo } from '../../src/policy/surroundings.ts'

function policyOf(raw: object): Policy {
  const read = readPolicy(raw, { file: 'policy.yaml', lineOf: () => 1, readText: () => ({ fault: 'there is none' }) })
  assert.ok(read.ok)
  return read.policy
}

function opened(raw: object, ...geo: readonly string[]): OpenPolicy {
  const files = geo.map(text => Buffer.from(text))
  return {
    file: 'policy.yaml',
    policy: policyOf(raw),
    setMarks: new Map(),
    options: {},
    geo: files,
    listeners: [],
    ways: {},
    setting: {},
  }
}

test('other files of geo matter where a rule or a limit asks where an address is registered', () => {
  const byCountry = { rules: [{ allow: { country: 'DE' } }] }
  const byNumber = { limits: { few: { of: { asn: '64496' }, per: 'all', sessions: 1 } }, rules: [] }
  const plain = { rules: [{ allow: { port: 443 } }] }
  for (const asking of [byCountry, byNumber]) {
    assert.ok(hasOtherGeo(opened(asking, 'a'), opened(plain, 'b')))
    assert.ok(hasOtherGeo(opened(plain), opened(asking, 'a')))
    assert.ok(hasOtherGeo(opened(asking, 'a', 'b'), opened(asking, 'a')))
    assert.ok(!hasOtherGeo(opened(asking, 'a'), opened(asking, 'a')))
  }
  assert.ok(!hasOtherGeo(opened(plain, 'a'), opened(plain, 'b')))
})

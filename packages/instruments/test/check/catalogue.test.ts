import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AREAS, CASES, chooseCases } from '@socksmith/instruments'

test('ids are different, have their form, and every area has cases', () => {
  assert.equal(new Set(CASES.map(one => one.id)).size, CASES.length)
  for (const one of CASES) assert.match(one.id, /^(S4|S4A|S4-BIN|S5-[A-Z0-9]{3}|LIM|WAY|INS)-\d\d$/)
  for (const area of Object.keys(AREAS))
    assert.ok(
      CASES.some(one => one.area === area),
      area,
    )
})

test('titles and reasons are sentences: one line, a capital, no stop at the end of a title, one at the end of a reason', () => {
  for (const { id, title, why } of CASES) {
    assert.match(title, /^[^a-z][^\n]*[^.\n]$/, id)
    assert.match(why, /^[^a-z\n][^\n]*\.$/, id)
  }
})

test('words choose by id, beginning of an id, area and level; each case once, in the order of the table', () => {
  assert.deepEqual(ids(['s5-req-10', 'S5-GRE-01', 'S5-REQ-10']), ['S5-GRE-01', 'S5-REQ-10'])
  assert.ok(ids(['S5-UDP']).every(id => id.startsWith('S5-UDP-')))
  assert.ok(!ids(['S4']).includes('S4A-01'))
  assert.deepEqual(
    ids([]),
    CASES.map(one => one.id),
  )
  assert.equal(ids(['must', 'should', 'custom', 'safety']).length, CASES.length)
  assert.equal(chooseCases(['udp', 'upd']), 'upd')
})

function ids(words: readonly string[]): readonly string[] {
  const chosen = chooseCases(words)
  assert.ok(typeof chosen !== 'string')
  return chosen.map(one => one.id)
}

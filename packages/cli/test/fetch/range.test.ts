import assert from 'node:assert/strict'
import { test } from 'node:test'
import { continuationOf } from '../../src/fetch/range.ts'

const partial = { octets: 100, writtenMs: Date.UTC(2026, 0, 2) }

function answer(status: number, headers: { [name: string]: string } = {}): ReturnType<typeof continuationOf> {
  return continuationOf({ status, headers: new Headers(headers) }, partial)
}

test('the rest is appended only if it is the rest of what is here', () => {
  const range = { 'content-range': 'bytes 100-199/200' }
  assert.deepEqual(answer(206, range), { kind: 'append', total: 200 })
  assert.deepEqual(answer(206, { 'content-range': 'bytes 100-199/*' }), { kind: 'append' })
  const modified = (text: string): { [name: string]: string } => ({ ...range, 'last-modified': text })
  assert.equal(answer(206, modified('Thu, 01 Jan 2026 00:00:00 GMT'))?.kind, 'append')
  assert.equal(answer(206, modified('Sat, 03 Jan 2026 00:00:00 GMT'))?.kind, 'changed')
  assert.equal(answer(206, modified('some day'))?.kind, 'append')
  assert.equal(answer(206, { 'content-range': 'bytes 0-199/200' })?.kind, 'changed')
  assert.equal(answer(206)?.kind, 'changed')
})

test('no rest is the end, when the length says so', () => {
  assert.equal(answer(416, { 'content-range': 'bytes */100' })?.kind, 'complete')
  assert.equal(answer(416, { 'content-range': 'bytes */50' })?.kind, 'changed')
  assert.equal(answer(416)?.kind, 'changed')
})

test('all of it, and errors, are told apart', () => {
  assert.equal(answer(200)?.kind, 'whole')
  assert.equal(answer(404), undefined)
  assert.equal(answer(503), undefined)
})

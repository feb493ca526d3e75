/** The fake answers, octet by octet as in the digest, and the datagrams that are no DNS query. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DNS_TYPE, concat, decodeDnsMessage, encodeDnsAnswer, encodeDnsQuery, toHex } from '@socksmith/protocol'
import { octetsOf } from '../vectors.ts'

const QUERY = '123401000001000000000000076578616d706c6503636f6d0000010001'
const ANSWER = '123481800001000100000000076578616d706c6503636f6d0000010001c00c00010001000000010004c6120002'

function queryOf(octets: Uint8Array): Parameters<typeof encodeDnsAnswer>[0] {
  const decoded = decodeDnsMessage(octets)
  assert.ok(decoded.kind === 'whole')
  return decoded.value
}

function codeOf(octets: Uint8Array): string | undefined {
  const decoded = decodeDnsMessage(octets)
  return decoded.kind === 'malformed' ? decoded.failure.code : undefined
}

test('a query and its fake answer are those of the digest', () => {
  const question = { name: 'example.com', type: DNS_TYPE.a }
  assert.equal(toHex(encodeDnsQuery(0x1234, question)), QUERY)
  assert.equal(toHex(encodeDnsAnswer(queryOf(octetsOf(QUERY)), [Uint8Array.of(198, 18, 0, 2)], 1)), ANSWER)
})

test('no addresses make NOERROR without answers', () => {
  const query = queryOf(encodeDnsQuery(0x1234, { name: 'example.com', type: DNS_TYPE.aaaa }))
  const answer = queryOf(encodeDnsAnswer(query, [], 1))
  assert.equal(answer.flags & 0x000f, 0)
  assert.deepEqual(answer.answers, [])
})

test('additional records, as of EDNS, are skipped', () => {
  const query = octetsOf(QUERY)
  query[11] = 1
  const withEdns = concat([query, octetsOf('0000291000000000000000')])
  assert.equal(queryOf(withEdns).question.name, 'example.com')
})

test('every cut of an answer is truncated', () => {
  const answer = octetsOf(ANSWER)
  for (let length = 0; length < answer.length; length++) assert.equal(codeOf(answer.slice(0, length)), 'truncated')
})

test('a question that is not one ordinary name is refused', () => {
  const two = octetsOf(QUERY)
  two[5] = 2
  assert.equal(codeOf(two), 'bad_parameters')
  assert.equal(codeOf(octetsOf('123401000001000000000000c00c00010001')), 'bad_syntax')
  assert.equal(codeOf(octetsOf('12340100000100000000000003612e620000010001')), 'name_bad_char')
  assert.equal(codeOf(octetsOf('1234010000010000000000000000010001')), 'empty_name')
})

const labelOf = (length: number): string => 'a'.repeat(length)

test('names of labels that are empty or too long are not asked for', () => {
  for (const name of ['a..b', '.a', `${labelOf(64)}.b`, `a.${labelOf(64)}`]) {
    assert.throws(() => encodeDnsQuery(1, { name, type: DNS_TYPE.a }), RangeError, name)
  }
  const query = queryOf(encodeDnsQuery(1, { name: `${labelOf(63)}.b`, type: DNS_TYPE.a }))
  assert.equal(query.question.name, `${labelOf(63)}.b`)
})

test('a class other than IN, and a label of more than 63 octets, are refused', () => {
  assert.notEqual(codeOf(octetsOf('1234010000010000000000000161000001 0003'.replace(' ', ''))), undefined)
  assert.notEqual(
    codeOf(octetsOf(`123401000001000000000000 40${'61'.repeat(64)} 0000010001`.replaceAll(' ', ''))),
    undefined,
  )
})

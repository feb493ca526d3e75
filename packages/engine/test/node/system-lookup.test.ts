/** Look-ups: by the operating system, and by DNS against a small server on loopback. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { test } from 'node:test'
import { formatAddress } from '@socksmith/protocol'
import { serverLookup, systemLookup } from '../../src/node/system-lookup.ts'

test('the operating system knows localhost, with a final dot too', async () => {
  for (const name of ['localhost', 'localhost.']) {
    const found = await systemLookup(name)
    assert.ok(!('code' in found), name)
    assert.ok(found.some(one => ['127.0.0.1', '::1'].includes(formatAddress(one))))
  }
})

test('a name that cannot exist is not found', async () => {
  // RFC 6761 section 6.4: `invalid` never exists.
  const found = await systemLookup('nothing.invalid')
  assert.ok('code' in found)
  assert.match(found.code, /^name_(not_found|timed_out)$/)
  assert.equal(found.blame, 'target')
})

const TYPE_A = 1
const TYPE_AAAA = 28
const NXDOMAIN = 3
const SERVFAIL = 2
const ADDRESSES: { readonly [type: number]: Buffer } = {
  [TYPE_A]: Buffer.from([192, 0, 2, 1]),
  [TYPE_AAAA]: Buffer.from('20010db8000000000000000000000001', 'hex'),
}

/** Answers each question as its first label says. */
function answerTo(query: Buffer): Buffer {
  const end = query.indexOf(0, 12)
  const type = query.readUInt16BE(end + 1)
  const label = query.toString('latin1', 13, 13 + (query[12] ?? 0))
  const address = ADDRESSES[type]
  const has = label === 'both' || (label === 'four' && type === TYPE_A)
  const header = Buffer.from(query.subarray(0, 12))
  header.writeUInt16BE(0x8180 | (label === 'absent' ? NXDOMAIN : label === 'broken' ? SERVFAIL : 0), 2)
  header.writeUInt16BE(has && address ? 1 : 0, 6)
  header.writeUInt16BE(0, 10)
  const question = query.subarray(12, end + 5)
  if (!has || !address) return Buffer.concat([header, question])
  const fixed = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, address.length])
  return Buffer.concat([header, question, fixed, address])
}

test('a name server is asked for both families, and its failures are failures of the name', async () => {
  const server = createSocket('udp4', (query, from) => server.send(answerTo(query), from.port, from.address))
  await new Promise<void>(resolve => server.bind(0, '127.0.0.1', resolve))
  try {
    const lookup = serverLookup([`127.0.0.1:${server.address().port}`])
    const texts = async (name: string): Promise<string[] | string> => {
      const found = await lookup(name)
      return 'code' in found ? `${found.code} ${found.blame}` : found.map(formatAddress)
    }
    assert.deepEqual(await texts('both.test'), ['2001:db8::1', '192.0.2.1'])
    assert.deepEqual(await texts('four.test'), ['192.0.2.1'])
    assert.equal(await texts('absent.test'), 'name_not_found target')
    assert.equal(await texts('empty.test'), 'name_not_found target')
    assert.equal(await texts('broken.test'), 'name_not_found target')
  } finally {
    server.close()
  }
})

test('a name server that was quick so far may take longer for a name that nobody has asked for', async () => {
  const asked: string[] = []
  const server = createSocket('udp4', (query, from) => {
    const answer = answerTo(query)
    // Each question for this name, of either family, is answered when it comes for the third time.
    const question = query.subarray(12).toString('latin1')
    asked.push(question)
    const isLate = question.includes('late') && asked.filter(one => one === question).length < 3
    if (!isLate) server.send(answer, from.port, from.address)
  })
  await new Promise<void>(resolve => server.bind(0, '127.0.0.1', resolve))
  try {
    const lookup = serverLookup([`127.0.0.1:${server.address().port}`])
    for (let i = 0; i < 30; i++) assert.ok(!('code' in (await lookup(`both.${i}.test`))))
    const found = await lookup('both.late.test')
    assert.ok(!('code' in found), JSON.stringify(found))
  } finally {
    server.close()
  }
})

test('a name server that is none is told at once', () => {
  assert.throws(() => serverLookup(['not a server']))
})

test('a name server is never asked for this host', async () => {
  // Nobody answers there; the test would fail by the time that takes.
  const lookup = serverLookup(['127.0.0.1:9'])
  for (const name of ['localhost', 'a.localhost', 'localhost.']) {
    const found = await lookup(name)
    assert.ok(!('code' in found))
    assert.deepEqual(found.map(formatAddress), ['::1', '127.0.0.1'])
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lineText, transcriptLines } from '@socksmith/instruments'
import { Recorder, eventOctets, longOctets, swapCase } from '../../src/check/transcript.ts'

test('long octets are cut in the transcript and whole again for a replay', () => {
  const recorder = new Recorder()
  const line = recorder.open('tcp', { kind: 'proxy' }, 'a to b')
  const octets = Buffer.concat([Buffer.from('050100', 'hex'), longOctets(100_000)])
  line.octets('sent', octets, 'much')
  const event = recorder.transcript([]).events[1]
  assert.ok(event?.octets !== undefined)
  assert.equal(event.octets.length, 4_096)
  assert.ok(octets.equals(eventOctets(event)))
})

test('a password is stars in the transcript, whatever stands around it', () => {
  const recorder = new Recorder()
  const line = recorder.open('tcp', { kind: 'proxy' }, 'a to b')
  line.octets('sent', Buffer.from('\u0001\u0002me\u0006secret'), 'login', { offset: 5, length: 6 })
  const transcript = recorder.transcript([])
  assert.doesNotMatch(JSON.stringify(transcript), new RegExp(Buffer.from('secret').toString('hex')))
  const texts = transcriptLines(transcript).map(lineText)
  assert.match(texts.join('\n'), /01 02 6d 65 06 \*\* \*\* \*\* \*\* \*\* \*\* +login/)
})

test('rows are sixteen octets, long events are counted, and many connections are not all shown', () => {
  const recorder = new Recorder()
  for (let count = 0; count < 10; count++) recorder.open('tcp', { kind: 'proxy' }, `number ${count}`)
  const line = recorder.open('udp', { kind: 'datagrams', from: '127.0.0.1' }, 'never shown')
  line.octets('received', longOctets(10))
  const first = new Recorder()
  const shown = first.open('tcp', { kind: 'proxy' }, 'a to b')
  shown.octets('received', longOctets(1_000))
  shown.meaning('something')
  const many = transcriptLines(recorder.transcript([])).map(lineText)
  assert.ok(many.includes('and 5 more, not shown'))
  assert.ok(!many.some(text => text.includes('never shown')))
  const texts = transcriptLines(first.transcript([])).map(lineText)
  assert.equal(texts.length, 1 + 1 + 5 + 1)
  assert.match(texts[6] ?? '', /\.\.\. 1,000 octets in all/)
  assert.match(texts[7] ?? '', / = something$/)
})

test('letters change their case, and nothing else does', () => {
  assert.equal(Buffer.from(swapCase(Buffer.from('aZ[`{@ß'))).toString(), 'Az[`{@ß')
})

/** Transcripts in terminals of different widths. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { transcriptText } from '../../src/check/transcript.ts'
import { plain } from '../../src/terminal/colour.ts'
import { TRANSCRIPT } from './transcript-example.ts'

test('what octets mean is beside them, or below the last row of them', () => {
  assert.deepEqual(transcriptText(TRANSCRIPT, plain, 80).join('\n').split('\n').slice(2, 6), [
    '           2.0  #1 -> 05 01 00  greeting: method 00 (no authentication)',
    '           3.0  #1 -> 05 01 00 01 05 01 00 01 05 01 00 01 05 01 00 01',
    '                      05 01 00 01 05 01 00 01',
    '                      request: CONNECT 127.0.0.1:15584, and 16384 behind it',
  ])
  assert.match(transcriptText(TRANSCRIPT, plain, 160)[3] ?? '', /05 01 00 01 {2}request: CONNECT 127\.0\.0\.1:15584/)
})

/** What events of the server say: which limit, how many, and what to do about it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventText } from '../../src/log/event-text.ts'

test('a limit is named as the configuration names it, and descriptors as the system does', () => {
  assert.deepEqual(
    [
      eventText({ kind: 'limit', limit: 'connectionsPerClient', refused: 1 }),
      eventText({ kind: 'limit', limit: 'descriptors', refused: 2 }),
      eventText({ kind: 'few-descriptors', connections: 12_000, tunnels: 9_968 }),
    ],
    [
      'the limit connections-per-client has refused 1 newcomer',
      'the number of descriptors of this process (ulimit -n) has refused 2 newcomers',
      '12000 connections are allowed, and this process may open descriptors for 9968 tunnels at once; raise its limit (ulimit -n)',
    ],
  )
})

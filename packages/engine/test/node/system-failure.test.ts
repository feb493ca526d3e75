/** Errors of the system as failures. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errnoOf, systemFailure } from '../../src/node/system-failure.ts'

const error = (code: string): Error => Object.assign(new Error('text that nobody reads'), { code })

test('the errno decides the code and the blame', () => {
  const cases: [string, string, string][] = [
    ['ECONNREFUSED', 'connection_refused', 'target'],
    ['ENETUNREACH', 'network_unreachable', 'target'],
    ['EHOSTUNREACH', 'host_unreachable', 'target'],
    ['ETIMEDOUT', 'timed_out', 'target'],
    ['EMFILE', 'too_busy', 'us'],
    ['EADDRNOTAVAIL', 'general_failure', 'us'],
    ['EACCES', 'not_allowed', 'us'],
    ['ENEVERHEARDOF', 'general_failure', 'us'],
  ]
  for (const [errno, code, blame] of cases) assert.deepEqual(systemFailure(error(errno)), { code, blame, errno })
})

test('the caller may know better whose fault it is', () => {
  assert.equal(systemFailure(error('ECONNREFUSED'), 'us').blame, 'us')
})

test('an error without errno is a general failure of ours, with its text', () => {
  assert.deepEqual(systemFailure(new Error('odd')), { code: 'general_failure', blame: 'us', detail: 'Error: odd' })
  assert.equal(errnoOf('no error at all'), undefined)
})

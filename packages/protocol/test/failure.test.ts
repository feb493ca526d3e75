/** Which of several failures is told, and what the system's errors become. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FailureCode, codeOfErrno, failure, mappingOf, mostTelling } from '@socksmith/protocol'

/** From the one that says most to the one that says least. */
const ORDER: readonly FailureCode[] = [
  'not_allowed',
  'connection_refused',
  'address_type_not_supported',
  'host_unreachable',
  'network_unreachable',
  'timed_out',
  'general_failure',
  'command_not_supported',
]

test('of several failures the one that says most is told, whatever their order', () => {
  for (const [at, code] of ORDER.entries()) {
    const less = ORDER.slice(at).map(one => failure(one, 'target'))
    assert.equal(mostTelling(less).code, code)
    assert.equal(mostTelling(less.toReversed()).code, code)
  }
})

test('of equal ones it is the first, and of none a general one', () => {
  // A name that nobody has answered for is told as one that is not known.
  assert.equal(mappingOf('name_timed_out').rep, mappingOf('name_not_found').rep)
  const [first, second] = [failure('name_not_found', 'target', 'a'), failure('host_unreachable', 'target', 'b')]
  assert.equal(mostTelling([first, second]), first)
  assert.equal(mostTelling([second, first]), second)
  assert.deepEqual([mostTelling([]).code, mostTelling([]).blame], ['general_failure', 'us'])
})

test('a failure has a detail only when it was given one', () => {
  assert.deepEqual(failure('timed_out', 'target'), { code: 'timed_out', blame: 'target' })
  assert.deepEqual(failure('timed_out', 'target', 'x'), { code: 'timed_out', blame: 'target', detail: 'x' })
})

test('errors of the system have their code, and unknown ones are general', () => {
  const codes = Object.entries({
    ECONNREFUSED: 'connection_refused',
    ECONNRESET: 'connection_refused',
    ENETUNREACH: 'network_unreachable',
    ENETDOWN: 'network_unreachable',
    EHOSTUNREACH: 'host_unreachable',
    EHOSTDOWN: 'host_unreachable',
    ETIMEDOUT: 'timed_out',
    ENOTFOUND: 'name_not_found',
    EAI_AGAIN: 'name_not_found',
    EACCES: 'not_allowed',
    EPERM: 'not_allowed',
    EAFNOSUPPORT: 'address_type_not_supported',
    EMFILE: 'too_busy',
    ENFILE: 'too_busy',
    ENOBUFS: 'too_busy',
    EWHATEVER: 'general_failure',
  })
  for (const [errno, code] of codes) assert.equal(codeOfErrno(errno), code)
  assert.equal(codeOfErrno(undefined), 'general_failure')
})

test('what was malformed is a general failure in every language', () => {
  assert.deepEqual(mappingOf('bad_atyp'), mappingOf('general_failure'))
  assert.deepEqual(
    [mappingOf('not_allowed').rep, mappingOf('not_allowed').httpStatus, mappingOf('not_allowed').exitCode],
    [2, 403, 77],
  )
})

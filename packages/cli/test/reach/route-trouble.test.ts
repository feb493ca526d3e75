import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type RouteFailure, SocksError } from '@socksmith/client'
import { routeTrouble } from '../../src/reach/route-trouble.ts'

const failure: RouteFailure['failure'] = { code: 'general_failure', blame: 'server' }

function told(why: RouteFailure): { readonly exitCode: number; readonly message: string } {
  const outcome = routeTrouble(new SocksError(why))
  assert.ok(!outcome.ok)
  return outcome.trouble
}

test('a wrong argument is the command line, unless it is only wrong for this proxy', () => {
  const wrong: RouteFailure = { code: 'SOCKS_BAD_ARGUMENT', failure, phase: 'route' }
  assert.equal(told(wrong).exitCode, 64)
  assert.equal(told({ ...wrong, hop: 0, proxy: 'http://a' }).exitCode, 76)
})

test('of a pool every proxy is told', () => {
  const cause: RouteFailure = { code: 'SOCKS_PROXY_UNREACHABLE', failure, phase: 'connect', hop: 0, proxy: 'http://a' }
  const { exitCode, message } = told({
    ...cause,
    code: 'SOCKS_POOL_DEAD',
    causes: [cause, { ...cause, proxy: 'http://b' }],
  })
  assert.equal(exitCode, 71)
  assert.match(message, /no proxy.*\n.*http:\/\/a.*\n.*http:\/\/b/)
})

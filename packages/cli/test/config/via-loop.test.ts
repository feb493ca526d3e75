/** A way out through ourselves is found by every name that a proxy of it may have, before anything is asked or opened. */
import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { type Route, chain, toRoute } from '@socksmith/client/route'
import type { Place } from '@socksmith/engine'
import { parsePlace } from '../../src/config/place-text.ts'
import { ownListener } from '../../src/config/via-loop.ts'
import { hostsOf } from '../../src/dns/way-dns.ts'

const HOSTS = hostsOf({ 'near.test': ['192.0.2.9', '127.0.0.1'], 'far.test': '192.0.2.1', 'any.test': '0.0.0.0' })

function isLoop(route: Route, listener: string): boolean {
  const place: Place = parsePlace(listener) ?? assert.fail(listener)
  return ownListener(route, [place], HOSTS) !== undefined
}

const later = (host: string): Route => chain(['http://192.0.2.50:3128', `socks5h://${host}:1080`])

test('the first proxy is at a listener, by whatever address or name this host has', () => {
  for (const [listener, ...hosts] of [
    ['127.0.0.1:1080', '127.0.0.1', '0.0.0.0', '[::]', '[::ffff:127.0.0.1]', '[::ffff:0.0.0.0]'],
    ['127.0.0.1:1080', 'localhost', 'LOCALHOST.', 'near.test', 'Near.Test', 'near.test.', 'any.test'],
    ['127.0.0.5:1080', '0.0.0.0', '127.0.0.5'],
    ['[::1]:1080', '[::1]', '[::]', '0.0.0.0', 'localhost'],
    ['[::ffff:127.0.0.1]:1080', '127.0.0.1'],
    ['0.0.0.0:1080', '127.0.0.9', '0.0.0.0', '[::]', 'localhost', 'near.test'],
    ['[::]:1080', '127.0.0.1', '[::1]', '0.0.0.0'],
    ['192.0.2.1:1080', '192.0.2.1', 'far.test'],
  ] as const) {
    for (const host of hosts) {
      assert.ok(isLoop(toRoute(`socks5h://${host}:1080`), listener), `${host} at ${listener}`)
      assert.ok(!isLoop(toRoute(`socks5h://${host}:1081`), listener), `${host} at another port`)
    }
  }
})

test('what is somewhere else, or not known before it is asked for, is no loop', () => {
  for (const [listener, ...hosts] of [
    ['127.0.0.1:1080', '127.0.0.2', '192.0.2.1', 'far.test', 'else.test', '[::1]'],
    ['192.0.2.1:1080', '0.0.0.0', '127.0.0.1', 'localhost', 'any.test'],
    ['0.0.0.0:1080', '192.0.2.77', 'far.test'],
    ['unix:/run/a.sock', '127.0.0.1', '0.0.0.0'],
  ] as const) {
    for (const host of hosts) assert.ok(!isLoop(toRoute(`http://${host}:1080`), listener), `${host} at ${listener}`)
  }
})

test('a listener on every address has those of the interfaces', () => {
  const own = Object.values(networkInterfaces()).flatMap(entries => entries ?? [])
  for (const { address, family } of own) {
    if (family === 'IPv4') assert.ok(isLoop(toRoute(`http://${address}:1080`), '0.0.0.0:1080'), address)
  }
})

test('a later proxy is a loop where it has an address that others reach us by', () => {
  assert.ok(isLoop(later('192.0.2.1'), '192.0.2.1:1080'))
  assert.ok(isLoop(later('far.test'), '192.0.2.1:1080'))
  for (const host of ['127.0.0.1', '0.0.0.0', 'localhost', 'near.test']) {
    assert.ok(!isLoop(later(host), '127.0.0.1:1080'), host)
    assert.ok(!isLoop(later(host), '0.0.0.0:1080'), host)
  }
})

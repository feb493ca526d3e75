import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatNetwork } from '@socksmith/server'
import { checkConfig } from '../../src/config/check.ts'
import { type ConfiguredOptions, toServerOptions } from '../../src/config/to-server-options.ts'

function options(raw: unknown, hasUsers = false): ConfiguredOptions | number {
  const checked = checkConfig(raw)
  assert.ok(checked.ok, JSON.stringify(checked))
  const outcome = toServerOptions(checked.config, hasUsers, assert.fail)
  return outcome.ok ? outcome.value : outcome.trouble.exitCode
}

test('every word of the configuration arrives in the options of the server', () => {
  const made = options(
    {
      listen: [
        {
          address: 'unix:/s',
          mode: '0660',
          protocols: ['http'],
          'proxy-protocol-from': ['10.0.0.0/8'],
          advertise: ['203.0.113.7', '2001:db8::7'],
        },
      ],
      access: { 'inside-from': ['192.168.0.0/16'], 'inside-open': ['10.0.0.0/8'], commands: ['connect'] },
      bind: { ports: '40000-40100', 'any-peer': true },
      udp: { ports: 40000, 'full-cone': true, reassemble: true },
      limits: { handshake: '10s', 'early-octets': '1KiB', connections: 7, idle: 0 },
      outgoing: ['192.0.2.1'],
    },
    true,
  )
  assert.ok(typeof made === 'object')
  const [listener] = made.listeners
  assert.deepEqual(listener?.place, { kind: 'unix', path: '/s' })
  assert.equal(listener.mode, 0o660)
  assert.equal(listener.authentication, 'password')
  assert.deepEqual(listener.protocols, { socks4: false, socks5: false, http: true })
  assert.deepEqual(listener.proxyProtocolFrom?.map(formatNetwork), ['10.0.0.0/8'])
  assert.deepEqual([...(listener.advertise?.ipv4?.octets ?? [])], [203, 0, 113, 7])
  assert.equal(listener.advertise?.ipv6?.octets[15], 7)
  assert.deepEqual(made.access?.insideFrom?.map(formatNetwork), ['192.168.0.0/16'])
  assert.deepEqual(made.access.insideOpen?.map(formatNetwork), ['10.0.0.0/8'])
  assert.deepEqual([made.access.connect, made.access.bind, made.access.udpAssociate], [true, false, false])
  assert.deepEqual(made.bind, { ports: { first: 40_000, last: 40_100 }, anyPeer: true })
  assert.deepEqual(made.udp, { ports: { first: 40_000, last: 40_000 }, fullCone: true, reassemble: true })
  assert.equal(made.limits?.handshakeMs, 10_000)
  assert.equal(made.limits.earlyOctets, 1_024)
  assert.equal(made.limits.connections, 7)
  assert.deepEqual([...(made.outgoing?.ipv4?.octets ?? [])], [192, 0, 2, 1])
})

test('what is not said stays the default of the server', () => {
  const made = options({})
  assert.ok(typeof made === 'object')
  assert.equal(made.access?.insideFrom, undefined)
  assert.deepEqual(made.outgoing, {})
  assert.equal(made.listeners[0]?.authentication, 'none')
})

/** The exit code of a refusal, or that it was taken. */
function code(listener: object, more: object = {}, hasUsers = false): number | 'taken' {
  const made = options({ listen: [listener], ...more }, hasUsers)
  return typeof made === 'number' ? made : 'taken'
}

test('an open proxy is refused by address and authentication, not by words', () => {
  for (const address of ['0.0.0.0:1', '[::]:1', '192.0.2.1:1', '[::ffff:192.0.2.1]:1']) {
    assert.equal(code({ address }), 77, address)
    assert.equal(code({ address }, {}, true), 'taken')
    assert.equal(code({ address, auth: 'none' }, {}, true), 77)
    assert.equal(code({ address }, { 'danger-open-proxy': true }), 'taken')
  }
  for (const address of ['127.0.0.1:1', '127.9.9.9:1', '[::1]:1', '[::ffff:127.0.0.1]:1', 'unix:/s']) {
    assert.equal(code({ address }), 'taken', address)
  }
})

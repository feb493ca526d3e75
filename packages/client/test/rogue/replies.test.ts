/**
 * Every reply of the vectors from a proxy to connect(): the malformed ones in every cutting come to the right error, the
 * good ones in every cutting and glued to data come to a connection that has lost nothing; floods are bounded.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { suite } from 'node:test'
import { type Method, noneMethod, userPasswordClient } from '@socksmith/protocol'
import { type MalformedVector, octetsOf, vectors } from '../../../protocol/test/vectors.ts'
import { type ProxyOptions, connect } from '../../src/index.ts'
import { type Scene, everything, leakTest, rejection, until } from '../scene.ts'
import { type Act, rogueProxy } from './rogue-proxy.ts'

const octets = (...values: readonly number[]): Uint8Array => Uint8Array.from(values)
const LOGIN = userPasswordClient({ username: Buffer.from('u'), password: Buffer.from('p') })
const GREETED: readonly Act[] = [{ await: 3 }]
const NO_PASSWORD: readonly Act[] = [...GREETED, { send: octets(5, 0) }, { await: 10 }]

/** What comes before the message on the wire, and how the client gets there. */
const LEADS: {
  readonly [message: string]: { readonly before: readonly Act[]; readonly protocol: ProxyOptions['protocol'] }
} = {
  'socks4.reply': { before: [{ await: 9 }], protocol: 'socks4a' },
  'socks5.selection': { before: GREETED, protocol: 'socks5h' },
  'rfc1929.reply': { before: [...GREETED, { send: octets(5, 2) }, { await: 5 }], protocol: 'socks5h' },
  'socks5.reply': { before: NO_PASSWORD, protocol: 'socks5h' },
  'http.connect-response': { before: [{ await: '\r\n\r\n' }], protocol: 'http' },
}

// These are errors for a parser that is told to be strict. This one takes what deployed servers send.
const LENIENT = new Set(['s4-reply-vn4-strict', 'up-reply-ver5-strict'])

const CODES: { readonly [kind: string]: string } = {
  truncated: 'SOCKS_PROXY_CLOSED',
  rejected: 'SOCKS_GENERAL_FAILURE',
  rejected_unknown: 'SOCKS_GENERAL_FAILURE',
  identd_unreachable: 'SOCKS_NOT_ALLOWED',
  identd_mismatch: 'SOCKS_NOT_ALLOWED',
  bad_version: 'SOCKS_MALFORMED_REPLY',
  bad_atyp: 'SOCKS_MALFORMED_REPLY',
  bad_syntax: 'SOCKS_MALFORMED_REPLY',
  method_not_offered: 'SOCKS_MALFORMED_REPLY',
  no_acceptable_methods: 'SOCKS_NO_ACCEPTABLE_METHOD',
  auth_rejected: 'SOCKS_AUTH_REJECTED',
  http_status: 'SOCKS_NOT_ALLOWED',
}

const REPS = [
  'GENERAL_FAILURE',
  'NOT_ALLOWED',
  'NETWORK_UNREACHABLE',
  'HOST_UNREACHABLE',
  'CONNECTION_REFUSED',
  'TTL_EXPIRED',
  'COMMAND_NOT_SUPPORTED',
  'ADDRESS_TYPE_NOT_SUPPORTED',
]

suite('malformed replies', () => {
  for (const vector of vectors.malformed) {
    const lead = LEADS[vector.message]
    if (lead === undefined || LENIENT.has(vector.id)) continue
    leakTest(`${vector.id}, whole and in every cutting, is the right error`, scene => checkMalformed(scene, vector))
  }
})

async function checkMalformed(scene: Scene, vector: MalformedVector): Promise<void> {
  const { before, protocol } = LEADS[vector.message] as (typeof LEADS)[string]
  const reply = octetsOf(vector.hex)
  const kind = vector.expect.errorKind ?? ''
  const { rep } = vector.expect
  const code = rep === undefined ? CODES[kind] : `SOCKS_${REPS[rep - 1] ?? 'GENERAL_FAILURE'}`
  const isShort = vector.expect.outcome === 'need_more'
  const cuts = [[], ...Array.from({ length: reply.length - 1 }, (_, i) => [i + 1]), [...reply.keys()].slice(1)]
  const endings: readonly (readonly Act[])[] = isShort ? [['end']] : [['end'], ['silence']]
  for (const ending of endings) {
    for (const pieces of cuts) {
      const rogue = await rogueProxy(scene, [...before, { send: reply, pieces }, ...ending])
      const via = { protocol, host: '127.0.0.1', port: rogue.port, ...methodsFor(vector, protocol) }
      const error = await rejection(connect({ host: 'target.test', port: 443, via }))
      assert.equal(error.code, code, `${JSON.stringify(pieces)} ${error.message}`)
      if (error.code !== 'SOCKS_PROXY_CLOSED') assert.equal(error.reason, kind)
      if (rep !== undefined) assert.equal(error.reply, rep)
      assert.equal(error.hop, 0)
      await until(() => rogue.open.size === 0, 'the client has closed')
    }
  }
}

function methodsFor(
  { message, context }: Pick<MalformedVector, 'message' | 'context'>,
  protocol: string,
): { methods?: Method[] } {
  if (protocol !== 'socks5h') return {}
  const offered = context?.offered ?? (message === 'rfc1929.reply' ? [2] : [0])
  return { methods: offered.map(number => (number === 2 ? LOGIN : noneMethod)) }
}

suite('good replies', () => {
  const successes: readonly [name: string, message: string, reply: Uint8Array][] = [
    ['SOCKS4', 'socks4.reply', octets(0, 90, 1, 2, 3, 4, 5, 6)],
    ['SOCKS4 with VN 4', 'socks4.reply', octets(4, 90, 1, 2, 3, 4, 5, 6)],
    ['SOCKS5 with IPv4', 'socks5.reply', octets(5, 0, 0, 1, 127, 0, 0, 1, 4, 0)],
    ['SOCKS5 with IPv6', 'socks5.reply', octets(5, 0, 0, 4, ...new Array<number>(15).fill(0), 1, 4, 0)],
    ['SOCKS5 with a name', 'socks5.reply', octets(5, 0, 0, 3, 4, 0x68, 0x6f, 0x73, 0x74, 4, 0)],
    ['SOCKS5 with an empty name', 'socks5.reply', octets(5, 0, 0, 3, 0, 0, 0)],
    ['HTTP', 'http.connect-response', Buffer.from('HTTP/1.1 200 Connection established\r\nVia: 1.1 rogue\r\n\r\n')],
  ]
  for (const [name, message, reply] of successes) {
    leakTest(`${name}: cut at every octet and glued to data, nothing is lost`, async scene => {
      const { before, protocol } = LEADS[message] as (typeof LEADS)[string]
      const data = Buffer.from('\x05\x00HTTP/1.1 220 data that looks like a reply\r\n\r\n')
      const all = Buffer.concat([reply, data])
      for (let cut = 1; cut < reply.length + 3; cut++) {
        const rogue = await rogueProxy(scene, [...before, { send: all, pieces: [cut] }, 'end'])
        const socket = await connect({ host: 'target.test', port: 443, via: `${protocol}://127.0.0.1:${rogue.port}` })
        assert.equal(await everything(socket), data.toString('latin1'))
      }
    })
  }

  leakTest('a user/password exchange cut at every octet', async scene => {
    const parts = [octets(5, 2), octets(1, 0), octets(5, 0, 0, 1, 0, 0, 0, 0, 0, 0)] as const
    for (let cut = 1; cut < 10; cut++) {
      const script: Act[] = [
        { await: 4 },
        { send: parts[0], pieces: [1] },
        { await: 5 },
        { send: parts[1], pieces: [1] },
      ]
      const rogue = await rogueProxy(scene, [...script, { await: 10 }, { send: parts[2], pieces: [cut] }, 'end'])
      const socket = await connect({ host: 'target.test', port: 443, via: `socks5h://u:p@127.0.0.1:${rogue.port}` })
      assert.equal(await everything(socket), '')
    }
  })

  leakTest('a proxy that answers everything before it was asked', async scene => {
    const rogue = await rogueProxy(scene, [{ send: octets(5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x68, 0x69) }, 'end'])
    const socket = await connect({ host: 'target.test', port: 443, via: `socks5h://127.0.0.1:${rogue.port}` })
    assert.equal(await everything(socket), 'hi')
  })
})

suite('floods', () => {
  const LINE = Buffer.from(`X-More: ${'x'.repeat(1_000)}\r\n`)
  const floods: readonly [name: string, scheme: string, script: readonly Act[], reason: string][] = [
    [
      'an HTTP head without end',
      'http',
      [{ await: 1 }, { send: Buffer.from('HTTP/1.1 200 OK\r\n') }, { flood: LINE }],
      'header_too_large',
    ],
    [
      'an HTTP line without end',
      'http',
      [{ await: 1 }, { send: Buffer.from('HTTP/1.1 200 ') }, { flood: Buffer.alloc(4_096, 0x78) }],
      'header_too_large',
    ],
    ['zeros in place of a method', 'socks5h', [{ flood: Buffer.alloc(65_536) }], 'bad_version'],
    ['zeros in place of a reply', 'socks5h', [...NO_PASSWORD, { flood: Buffer.alloc(65_536) }], 'bad_version'],
    [
      'ones in place of a reply of SOCKS4',
      'socks4a',
      [{ await: 9 }, { flood: Buffer.alloc(65_536, 1) }],
      'bad_version',
    ],
  ]
  for (const [name, scheme, script, reason] of floods) {
    leakTest(`${name} is an error`, async scene => {
      const rogue = await rogueProxy(scene, script)
      const error = await rejection(
        connect({ host: 'target.test', port: 443, via: `${scheme}://127.0.0.1:${rogue.port}` }),
      )
      assert.deepEqual([error.code, error.reason], ['SOCKS_MALFORMED_REPLY', reason])
      await until(() => rogue.open.size === 0, 'the client has closed')
    })
  }

  leakTest('data without end behind the reply waits in the kernel until somebody reads', async scene => {
    const good = octets(5, 0, 0, 1, 0, 0, 0, 0, 0, 0)
    const rogue = await rogueProxy(scene, [...NO_PASSWORD, { send: good }, { flood: Buffer.alloc(65_536, 0x2e) }])
    const socket = await connect({ host: 'target.test', port: 443, via: `socks5h://127.0.0.1:${rogue.port}` })
    for (let turn = 0; turn < 200; turn++) await new Promise<void>(resolve => setImmediate(resolve))
    // Node stops at its mark; one read of 64 KiB may pass it, and one piece came with the reply.
    assert.ok(socket.readableLength <= socket.readableHighWaterMark + 2 * 65_536, `${socket.readableLength} octets`)
    const [first] = (await once(socket, 'data')) as [Buffer]
    assert.equal(first[0], 0x2e)
    socket.destroy()
  })
})

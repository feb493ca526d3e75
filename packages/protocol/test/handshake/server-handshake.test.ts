/** The server's machine where no transcript goes: calls out of turn, ends, deadlines, bad methods. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  type Claim,
  type ExchangeStep,
  type Method,
  type Protection,
  ServerHandshake,
  type ServerHandshakeOptions,
  concat,
  failure,
  latin1Octets,
  latin1Text,
  toHex,
} from '@socksmith/protocol'
import { granted, octetsOf, optionsWith } from './replay.ts'
import { type Events, GREETING, REQUEST, fed, methodOf, open, told, withPassword } from './server-scene.ts'

suite('out of turn', () => {
  const answers: readonly ((server: ServerHandshake) => Events)[] = [
    server => server.verdict({ kind: 'accepted', user: 'mallory' }),
    server => server.succeed(granted),
    server => server.fail(failure('not_allowed', 'policy')),
  ]

  test('a verdict, a success or a failure that nobody asked for does nothing', () => {
    for (const [phase, pieces] of [
      ['first-octet', []],
      ['greeting', ['05']],
      ['exchange', ['050102']],
      ['socks5', [GREETING, '05']],
      ['socks4', ['0401']],
      ['http-head', ['43']],
      ['http', ['474554']],
    ] as const) {
      const server = fed(phase === 'exchange' ? withPassword : open, ...pieces)[0]
      for (const answer of answers) assert.deepEqual(answer(server), [], phase)
      assert.deepEqual([server.phase, server.user, server.reply], [phase, undefined, undefined])
    }
    const deciding = fed(open, GREETING + REQUEST)[0]
    assert.deepEqual(deciding.verdict({ kind: 'accepted', user: 'mallory' }), [])
    assert.equal(deciding.user, undefined)
    deciding.succeed(granted)
    for (const answer of answers) assert.deepEqual(answer(deciding), [])
    assert.deepEqual([deciding.phase, deciding.reply], ['established', 0])
  })

  test('a password that waits for its verdict cannot be succeeded past', () => {
    const [server] = fed(withPassword, '050102', '0103626f6206736563726574')
    assert.equal(server.phase, 'judging')
    assert.deepEqual(server.succeed(granted), [])
    assert.deepEqual(server.receive(octetsOf(REQUEST)), [])
    assert.equal(server.phase, 'judging')
    assert.deepEqual(told(server.verdict({ kind: 'rejected' })), ['0101', 'auth_rejected client'])
    assert.deepEqual(server.receive(octetsOf(REQUEST)), [])
    assert.deepEqual(server.takeRemainder(), new Uint8Array(0))
    assert.deepEqual(server.verdict({ kind: 'accepted', user: 'bob' }), [])
    assert.deepEqual([server.phase, server.user], ['failed', undefined])
  })

  test('a request that was refused is not granted afterwards', () => {
    const [server] = fed(open, GREETING + REQUEST)
    assert.deepEqual(told(server.fail(failure('not_allowed', 'policy'))), [
      '05020001000000000000',
      'not_allowed policy',
    ])
    assert.deepEqual(server.succeed(granted), [])
    assert.equal(server.reply, 2)
  })

  test('BIND is answered twice and no third time', () => {
    const [server] = fed(open, `${GREETING}0502000101020304 01bb`.replaceAll(' ', ''))
    assert.deepEqual(told(server.succeed(granted)), ['05000001c000020a9c40'])
    assert.deepEqual([server.phase, server.deadlineWanted], ['listening', false])
    assert.deepEqual(told(server.succeed(granted)), ['05000001c000020a9c40', 'established'])
    assert.deepEqual(server.succeed(granted), [])
    assert.equal(server.phase, 'established')
  })

  test('nothing comes of octets behind the failure, and none are kept', () => {
    const [server] = fed(open, '0500', GREETING)
    assert.deepEqual(server.receive(octetsOf(GREETING)), [])
    assert.equal(server.bufferedOctets, 0)
  })
})

suite('the end of the stream and of the time', () => {
  const unfinished: readonly (readonly [string, ServerHandshakeOptions, readonly string[]])[] = [
    ['first-octet', open, []],
    ['greeting', open, ['0502']],
    ['exchange', withPassword, ['050102', '0103']],
    ['socks5', open, [GREETING, '0501']],
    ['socks4', open, ['0401']],
    ['http-head', open, ['434f4e']],
  ]

  test('a handshake that is cut off in any phase has failed, by the client', () => {
    for (const [phase, options, pieces] of unfinished) {
      const [server] = fed(options, ...pieces)
      assert.deepEqual([server.phase, server.deadlineWanted], [phase, true])
      assert.deepEqual(told(server.endOfStream()), ['truncated client'])
      assert.equal(server.phase, 'failed')
      assert.ok(!server.deadlineWanted)
      assert.deepEqual(server.endOfStream(), [])
    }
  })

  test('one that does not come in time too, and nothing is sent', () => {
    for (const [phase, options, pieces] of unfinished) {
      const [server] = fed(options, ...pieces)
      assert.deepEqual(told(server.timeOut()), ['timed_out client'], phase)
      assert.deepEqual(server.timeOut(), [])
    }
  })

  test('only the JSON method has an answer for late clients', () => {
    const json: Method = methodOf({}, 0x09)
    const [server] = fed(optionsWith(json), '050109')
    assert.deepEqual(told(server.timeOut()), ['05110001000000000000', 'timed_out client'])
    assert.equal(server.reply, 0x11)
    const [later] = fed(
      optionsWith({ ...json, begin: () => ({ read: () => ({ kind: 'done', consumed: 0 }) }) }),
      '050109',
    )
    assert.equal(later.phase, 'socks5')
    assert.deepEqual(told(later.timeOut()), ['timed_out client'])
  })

  test('where the caller has to answer first, neither ends it', () => {
    const [server] = fed(open, GREETING + REQUEST)
    assert.deepEqual([server.endOfStream(), server.timeOut(), server.phase], [[], [], 'deciding'])
    server.succeed(granted)
    assert.deepEqual([server.endOfStream(), server.timeOut(), server.phase], [[], [], 'established'])
  })
})

suite('octets that come early', () => {
  test('they are counted, kept in order, and given out once', () => {
    const [server] = fed(open, GREETING + REQUEST + '6162', '63', '', '6465')
    assert.equal(server.bufferedOctets, 5)
    server.succeed(granted)
    assert.equal(latin1Text(server.takeRemainder()), 'abcde')
    assert.equal(server.takeRemainder().length, 0)
    assert.equal(server.bufferedOctets, 0)
  })

  test('what was delivered may be overwritten', () => {
    const octets = octetsOf(GREETING + REQUEST + '6162')
    const [server] = fed(open, octets)
    octets.fill(0)
    assert.equal(latin1Text(server.takeRemainder()), 'ab')
  })
})

suite('methods', () => {
  const claim: Claim = { kind: 'password', username: latin1Octets('bob'), password: latin1Octets('x') }

  test('one that speaks first is heard before anything is read', () => {
    const method = methodOf({ begin: () => ({ kind: 'continue', consumed: 0, send: Uint8Array.of(0xaa) }) })
    assert.deepEqual(told(fed(optionsWith(method), '050180')[1]), ['0580', 'aa'])
    const waiting = methodOf({ begin: () => ({ kind: 'need-more' }) })
    assert.deepEqual(told(fed(optionsWith(waiting), '050180')[1]), ['0580'])
    const refusing = methodOf({ begin: () => ({ kind: 'failed', failure: failure('aborted', 'us') }) })
    assert.deepEqual(told(fed(optionsWith(refusing), '050180')[1]), ['0580', 'aborted us'])
  })

  test('one that waits after the verdict stays in its exchange', () => {
    const steps: ExchangeStep[] = [{ kind: 'ask', consumed: 1, claim }, { kind: 'need-more' }]
    const method = methodOf({
      read: octets => (octets.length === 0 ? { kind: 'need-more' } : (steps.shift() ?? { kind: 'done', consumed: 2 })),
      answer: () => ({ kind: 'need-more' }),
    })
    const [server] = fed(optionsWith(method), '050180', '01')
    assert.deepEqual(told(server.verdict({ kind: 'rejected' })), [])
    assert.equal(server.phase, 'exchange')
    assert.deepEqual(server.receive(Uint8Array.of(2)), [])
    assert.equal(server.phase, 'exchange')
    assert.deepEqual(server.receive(Uint8Array.of(3)), [])
    assert.equal(server.phase, 'socks5')
  })

  test('one that asks and takes no answer, or that prompts, is a bug', () => {
    const deaf = methodOf({ read: () => ({ kind: 'ask', consumed: 0, claim }) })
    const [server] = fed(optionsWith(deaf), '050180')
    assert.equal(server.phase, 'judging')
    assert.throws(() => server.verdict({ kind: 'rejected' }), /cannot take an answer/u)
    const prompting = methodOf({ read: () => ({ kind: 'prompt', consumed: 0, text: claim.username }) })
    assert.throws(() => fed(optionsWith(prompting), '050180'), /must not prompt/u)
  })

  test('a parameter method tells what it carried', () => {
    const method = methodOf({ read: () => ({ kind: 'done', consumed: 0, user: 'bob', parameters: { a: 1 } }) })
    const [server] = fed(optionsWith(method), '050180')
    assert.deepEqual([server.user, server.parameters], ['bob', { a: 1 }])
  })
})

const broken = failure('unwrap_failed', 'client')

function flip(octets: Uint8Array): Uint8Array {
  return octets.map(octet => octet ^ 0x55)
}

function flipped(hex: string): string {
  return toHex(flip(octetsOf(hex)))
}

/** Changes each octet, and refuses FF. */
const masked: Protection = { protect: flip, unprotect: octets => (octets.includes(0xff) ? broken : flip(octets)) }

suite('protection', () => {
  const method = methodOf({ read: () => ({ kind: 'done', consumed: 0, protection: masked }) })

  test('the request, the reply and what comes after pass through it, also glued to the greeting', () => {
    const [server, events] = fed(optionsWith(method), concat([octetsOf('050180'), octetsOf(flipped(REQUEST + '6162'))]))
    assert.deepEqual(told(events), ['0580', 'request'])
    assert.ok(server.protection)
    assert.deepEqual(told(server.succeed(granted)), [flipped('05000001c000020a9c40'), 'established'])
    assert.equal(latin1Text(server.takeRemainder()), 'ab')
  })

  test('octets that do not unwrap end it, whenever they come', () => {
    assert.deepEqual(told(fed(optionsWith(method), '050180ff')[1]), ['0580', 'unwrap_failed client'])
    const [server, events] = fed(optionsWith(method), '050180', 'ff')
    assert.deepEqual(told(events), ['unwrap_failed client'])
    assert.deepEqual([server.phase, server.takeRemainder().length], ['failed', 0])
  })
})

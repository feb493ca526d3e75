/** The server's machine where no transcript goes: what is switched off, calls out of turn, ends, deadlines, bad methods. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  type Claim,
  type Exchange,
  type ExchangeStep,
  type Failure,
  type Method,
  type Protection,
  ServerHandshake,
  type ServerHandshakeOptions,
  concat,
  failure,
  latin1Octets,
  latin1Text,
  noneMethod,
  toHex,
  userPasswordServer,
} from '@socksmith/protocol'
import { granted, ip, octetsOf, optionsWith } from './replay.ts'

type Events = ReturnType<ServerHandshake['receive']>

const open = optionsWith(noneMethod)
const withPassword = optionsWith(userPasswordServer)
const GREETING = '050100'
const REQUEST = '0501000101020304 01bb'.replaceAll(' ', '')
const S4_REQUEST = '04 01 01bb 01020304 626f6200'.replaceAll(' ', '')
const FAILED_HTTP = latin1Octets('CONNECT no port HTTP/1.1\r\n\r\n')

/** Each event in a word: what was sent in hex, a failure with its code and blame. */
function told(events: Events): readonly string[] {
  return events.map(event => {
    if (event.kind === 'send') return toHex(event.octets)
    if (event.kind === 'failed') return `${event.failure.code} ${event.failure.blame}`
    return event.kind
  })
}

function fed(options: ServerHandshakeOptions, ...pieces: readonly (string | Uint8Array)[]): [ServerHandshake, Events] {
  const server = new ServerHandshake(options)
  let last: Events = []
  for (const piece of pieces) last = server.receive(typeof piece === 'string' ? octetsOf(piece) : piece)
  return [server, last]
}

function requestOf(events: Events): unknown {
  const event = events.find(one => one.kind === 'request')
  assert.ok(event?.kind === 'request')
  return event.request
}

function claimOf(events: Events): Claim {
  const event = events.find(one => one.kind === 'authenticate')
  assert.ok(event?.kind === 'authenticate')
  return event.claim
}

function methodOf(exchange: Partial<Exchange>, number = 0x80): Method {
  return { number, begin: () => ({ read: () => ({ kind: 'need-more' }), ...exchange }) }
}

function connect(head: string): Uint8Array {
  return latin1Octets(`CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n${head}\r\n`)
}

/** bob:secret */
const BASIC = 'Proxy-Authorization: Basic Ym9iOnNlY3JldA==\r\n'

suite('what is not served', () => {
  test('a protocol that is switched off is not answered', () => {
    const protocols = { socks4: true, socks5: true, http: true }
    for (const [name, first] of [
      ['socks4', S4_REQUEST],
      ['socks5', GREETING],
      ['http', '43'],
    ] as const) {
      const [server, events] = fed({ ...open, protocols: { ...protocols, [name]: false } }, first)
      assert.deepEqual(told(events), ['unknown_protocol client'], name)
      assert.equal(server.protocol, undefined)
      assert.equal(fed({ ...open, protocols }, first)[0].protocol, name)
    }
  })

  test('SOCKS6, TLS and noise are not answered', () => {
    for (const first of ['06', '16', '00', 'ff', '40', '5b', '60', '7b'])
      assert.deepEqual(told(fed(open, first)[1]), ['unknown_protocol client'], first)
    for (const first of ['41', '5a', '61', '7a']) assert.equal(fed(open, first)[0].protocol, 'http', first)
  })

  test('nothing at all is no protocol yet', () => {
    const [server, events] = fed(open, '')
    assert.deepEqual(events, [])
    assert.equal(server.phase, 'first-octet')
    assert.ok(server.deadlineWanted)
    assert.deepEqual(told(server.receive(octetsOf(GREETING))), ['0500'])
  })

  test('a greeting without methods, or with none that is known, gets FF', () => {
    assert.deepEqual(told(fed(open, '0500')[1]), ['05ff', 'empty_method_list client'])
    assert.deepEqual(told(fed(open, '050102')[1]), ['05ff', 'no_acceptable_methods client'])
    assert.deepEqual(told(fed(withPassword, '050100')[1]), ['05ff', 'no_acceptable_methods client'])
  })

  test('SOCKS4 beside a password is refused in its own language, also with a name', () => {
    const [server, events] = fed(withPassword, S4_REQUEST)
    assert.deepEqual(told(events), ['005b000000000000', 'auth_required policy'])
    assert.equal(server.reply, 0x5b)
    assert.equal(fed(withPassword, '040101bb00000001626f6200782e7900')[0].reply, 0x5b)
  })

  test('SOCKS4 has no UDP, nor has it what is not offered', () => {
    const all = { ...open, commands: ['connect', 'bind', 'udp-associate', 'resolve', 'resolve-ptr'] } as const
    for (const [command, isTaken] of [
      ['01', true],
      ['02', true],
      ['03', false],
      ['f0', true],
      ['f1', false],
    ] as const) {
      const [server] = fed(all, `04${command}01bb0102030400`)
      assert.equal(server.phase, isTaken ? 'deciding' : 'failed', command)
    }
    assert.equal(fed({ ...open, commands: ['connect'] }, '040201bb0102030400')[0].phase, 'failed')
    assert.equal(fed({ ...open, commands: ['bind'] }, S4_REQUEST)[0].phase, 'failed')
  })

  test('BIND for any peer only where that is allowed, in both versions', () => {
    for (const request of ['040201bb0000000000']) {
      assert.equal(fed(open, request)[0].phase, 'failed')
      assert.equal(fed({ ...open, anyPeer: false }, request)[0].phase, 'failed')
      assert.equal(fed({ ...open, anyPeer: true }, request)[0].phase, 'deciding')
    }
  })

  test('RSV is looked at only where that is wanted', () => {
    const request = '050101 01 01020304 01bb'.replaceAll(' ', '')
    assert.equal(fed(open, GREETING, request)[0].phase, 'deciding')
    assert.equal(fed({ ...open, strict: false }, GREETING, request)[0].phase, 'deciding')
    const [server, events] = fed({ ...open, strict: true }, GREETING, request)
    assert.equal(told(events).at(-1), 'bad_reserved client')
    assert.equal(server.reply, 1)
    assert.equal(fed({ ...open, strict: true }, GREETING, REQUEST)[0].phase, 'deciding')
  })

  test('what is refused keeps its code for the record', () => {
    assert.equal(fed(open, GREETING, '05090001010203040050')[0].reply, 7)
    assert.equal(fed(open, '040901bb0102030400')[0].reply, 0x5b)
    assert.equal(fed(open, FAILED_HTTP)[0].reply, 400)
    assert.equal(fed(open, '0500')[0].reply, undefined)
  })
})

suite('the request as it is told', () => {
  test('SOCKS4 and 4a are told apart, with the user id', () => {
    const userid = latin1Octets('bob')
    const destination = ip('1.2.3.4', 443)
    assert.deepEqual(requestOf(fed(open, S4_REQUEST)[1]), {
      protocol: 'socks4',
      command: 'connect',
      destination,
      userid,
    })
    const named = requestOf(fed(open, '040201bb00000001626f6200782e7900')[1])
    const name = { address: { type: 'domain', name: 'x.y' }, port: 443 }
    assert.deepEqual(named, { protocol: 'socks4a', command: 'bind', destination: name, userid })
  })

  test('SOCKS5 and HTTP', () => {
    const destination = ip('1.2.3.4', 443)
    const request = { protocol: 'socks5', command: 'connect', destination }
    assert.deepEqual(requestOf(fed(open, GREETING + REQUEST)[1]), request)
    const [server, events] = fed(open, connect(''))
    const name = { address: { type: 'domain', name: 'example.com' }, port: 443 }
    assert.deepEqual(requestOf(events), { protocol: 'http', command: 'connect', destination: name })
    assert.equal(server.protocol, 'http')
  })
})

suite('HTTP', () => {
  test('a password is judged where one is required', () => {
    const [server, events] = fed(withPassword, connect(BASIC))
    assert.deepEqual(told(events), ['authenticate'])
    const claim = claimOf(events)
    assert.ok(claim.kind === 'password')
    assert.deepEqual([latin1Text(claim.username), latin1Text(claim.password)], ['bob', 'secret'])
    assert.equal(server.phase, 'judging-http')
    assert.ok(!server.deadlineWanted)
    assert.deepEqual(told(server.verdict({ kind: 'accepted', user: 'bob' })), ['request'])
    assert.equal(server.user, 'bob')
  })

  test('without one, or with a wrong one, there is a 407 that asks for it, and the end', () => {
    const [none, events] = fed(withPassword, connect(''))
    const [sent, last] = told(events)
    assert.match(latin1Text(octetsOf(sent ?? '')), /^HTTP\/1\.1 407 [^]*\r\nProxy-Authenticate: Basic realm=/u)
    assert.deepEqual([last, none.reply, none.user], ['auth_rejected client', 407, undefined])
    const [wrong] = fed(withPassword, connect(BASIC))
    const [again, end] = told(wrong.verdict({ kind: 'rejected' }))
    assert.deepEqual([again, end, wrong.phase], [sent, 'auth_rejected client', 'failed'])
  })

  test('where none is required one is judged only if that is wanted', () => {
    assert.deepEqual(told(fed(open, connect(BASIC))[1]), ['request'])
    assert.deepEqual(told(fed({ ...open, passwordAccepted: false }, connect(BASIC))[1]), ['request'])
    assert.deepEqual(told(fed({ ...open, passwordAccepted: true }, connect(BASIC))[1]), ['authenticate'])
    assert.deepEqual(told(fed({ ...open, passwordAccepted: true }, connect(''))[1]), ['request'])
  })

  test('another request than CONNECT is left whole to the caller, at every split', () => {
    const head = latin1Octets('GET http://example.com/ HTTP/1.1\r\n\r\n')
    for (let i = 1; i < head.length; i++) {
      const server = new ServerHandshake(open)
      const events = [...server.receive(head.slice(0, i)), ...server.receive(head.slice(i))]
      assert.deepEqual(told(events), ['http'])
      assert.equal(server.phase, 'http')
      assert.ok(!server.deadlineWanted)
      assert.deepEqual(server.takeRemainder(), head)
    }
    for (const other of ['CONNECTX a', 'CONNECT\t', 'connect a', 'D'])
      assert.equal(fed(open, latin1Octets(other))[0].phase, 'http', other)
    for (const part of ['C', 'CONNECT', 'CONNECT ']) assert.equal(fed(open, latin1Octets(part))[0].phase, 'http-head')
  })

  test('a broken head gets 400, one that is too long 431', () => {
    const [sent, last] = told(fed(open, FAILED_HTTP)[1])
    assert.match(latin1Text(octetsOf(sent ?? '')), /^HTTP\/1\.1 400 Bad Request\r\n/u)
    assert.match(last ?? '', /client$/u)
    const long = latin1Octets(`CONNECT example.com:443 HTTP/1.1\r\nX: ${'x'.repeat(70_000)}`)
    assert.equal(fed(open, long)[0].reply, 431)
  })
})

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

/** Changes each octet, and refuses FF. */
function masked(broken: Failure): Protection {
  const flip = (octets: Uint8Array): Uint8Array => octets.map(octet => octet ^ 0x55)
  return { protect: flip, unprotect: octets => (octets.includes(0xff) ? broken : flip(octets)) }
}

suite('protection', () => {
  const broken = failure('unwrap_failed', 'client')
  const flip = (hex: string): string => toHex(octetsOf(hex).map(octet => octet ^ 0x55))
  const method = methodOf({ read: () => ({ kind: 'done', consumed: 0, protection: masked(broken) }) })

  test('the request, the reply and what comes after pass through it, also glued to the greeting', () => {
    const [server, events] = fed(optionsWith(method), concat([octetsOf('050180'), octetsOf(flip(REQUEST + '6162'))]))
    assert.deepEqual(told(events), ['0580', 'request'])
    assert.ok(server.protection)
    assert.deepEqual(told(server.succeed(granted)), [flip('05000001c000020a9c40'), 'established'])
    assert.equal(latin1Text(server.takeRemainder()), 'ab')
  })

  test('octets that do not unwrap end it, whenever they come', () => {
    assert.deepEqual(told(fed(optionsWith(method), '050180ff')[1]), ['0580', 'unwrap_failed client'])
    const [server, events] = fed(optionsWith(method), '050180', 'ff')
    assert.deepEqual(told(events), ['unwrap_failed client'])
    assert.deepEqual([server.phase, server.takeRemainder().length], ['failed', 0])
  })
})

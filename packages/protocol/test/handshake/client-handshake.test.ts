/** The client's machine where no transcript goes: what cannot be written, proxies that break the rules, calls out of turn. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  ClientHandshake,
  type ClientHandshakeOptions,
  type Exchange,
  type Method,
  type Protection,
  failure,
  latin1Octets,
  latin1Text,
  noneMethod,
  toHex,
  userPasswordClient,
} from '@socksmith/protocol'
import { bob, ip, named, octetsOf } from './replay.ts'

type Events = ReturnType<ClientHandshake['receive']>

const target = named('example.com', 443)
const socks5 = { protocol: 'socks5', methods: [noneMethod], command: 'connect', destination: target } as const
const userid = latin1Octets('bob')
const socks4 = { protocol: 'socks4', command: 'connect', destination: ip('1.2.3.4', 443), userid } as const
const http = { protocol: 'http', command: 'connect', destination: target } as const
const GRANTED = '05000001c000020a9c40'
const HTTP_OK = toHex(latin1Octets('HTTP/1.1 200 OK\r\n\r\n'))

function told(events: Events): readonly string[] {
  return events.map(event => {
    if (event.kind === 'send') return toHex(event.octets)
    if (event.kind === 'failed') return `${event.failure.code} ${event.failure.blame}`
    return event.kind
  })
}

function started(options: ClientHandshakeOptions, ...pieces: readonly string[]): [ClientHandshake, Events] {
  const client = new ClientHandshake(options)
  let last = client.start()
  for (const piece of pieces) last = client.receive(octetsOf(piece))
  return [client, last]
}

function methodOf(exchange: Partial<Exchange>): Method {
  return { number: 0x80, begin: () => ({ read: () => ({ kind: 'need-more' }), ...exchange }) }
}

const faultOf = (options: ClientHandshakeOptions): readonly string[] => {
  const [client, events] = started(options)
  if (client.phase === 'failed') assert.deepEqual([client.failedIn, client.deadlineWanted], ['idle', false])
  return told(events)
}

const written = (host: string): string | undefined =>
  told(started({ ...socks5, destination: named(host, 443) }, '0500')[1])[0]

const boundOf = (events: Events): unknown => events.map(event => ('bound' in event ? event.bound : event.kind))

const offer = (method: Method): ClientHandshakeOptions => ({ ...socks5, methods: [noneMethod, method] })

const flip = (octets: Uint8Array): Uint8Array => octets.map(octet => octet ^ 0x55)

const flipped = (hex: string): string => toHex(flip(octetsOf(hex)))

suite('what cannot be written is an error of ours before anything is sent, and no name is resolved instead', () => {
  test('names of no octets and of more than the length octet can say, in every protocol', () => {
    for (const options of [socks5, socks4, http] as readonly ClientHandshakeOptions[]) {
      const withName = (name: string): ClientHandshakeOptions => ({ ...options, destination: named(name, 443) })
      assert.deepEqual(faultOf(withName('')), ['empty_name us'])
      for (const length of [256, 257, 65_535, 70_000])
        assert.deepEqual(faultOf(withName('a'.repeat(length))), ['name_too_long us'], String(length))
      for (const length of [1, 255]) assert.match(faultOf(withName('a'.repeat(length)))[0] ?? '', /^[0-9a-f]+$/u)
    }
  })

  test('a name with NUL in SOCKS4a, where NUL ends it', () => {
    const destination = named('a\0b', 443)
    assert.deepEqual(faultOf({ ...socks4, destination }), ['name_has_nul us'])
  })

  test('a name that would end the line of an HTTP request and begin a field of its own', () => {
    for (const name of ['a\r\nX: y', 'a b', 'a\n', 'a\tb', 'a\0', 'a\x1fb', 'a\x7f'])
      assert.deepEqual(faultOf({ ...http, destination: named(name, 443) }), ['name_bad_char us'], name)
    assert.match(faultOf({ ...http, destination: named('a!b~', 443) })[0] ?? '', /^434f4e4e454354/u)
  })

  test('no method to offer', () => {
    assert.deepEqual(faultOf({ ...socks5, methods: [] }), ['empty_method_list us'])
    assert.deepEqual(faultOf(socks5), ['050100'])
  })

  test('a user id that is too long, or ends early', () => {
    for (const bad of [new Uint8Array(256).fill(97), new Uint8Array(70_000).fill(97), Uint8Array.of(97, 0, 98)])
      assert.deepEqual(faultOf({ ...socks4, userid: bad }), ['userid_too_long us'])
    for (const length of [0, 255])
      assert.match(faultOf({ ...socks4, userid: new Uint8Array(length).fill(97) })[0] ?? '', /^0401/u)
  })

  test('IPv6 in SOCKS4', () => {
    assert.deepEqual(faultOf({ ...socks4, destination: ip('2001:db8::1', 443) }), ['bad_address us'])
  })
})

suite('what is written', () => {
  test('SOCKS4 with an address, SOCKS4a with the mark and the name', () => {
    assert.deepEqual(told(started(socks4)[1]), ['040101bb01020304626f6200'])
    const name = { ...socks4, destination: named('x.y', 443) }
    assert.deepEqual(told(started(name)[1]), ['040101bb00000001626f6200782e7900'])
  })

  test('a literal in a name is sent as the address that it is', () => {
    assert.equal(written('1.2.3.4'), '050100010102030401bb')
    assert.equal(written('::1'), '050100040000000000000000000000000000000101bb')
    assert.equal(written('1.2.3'), '0501000305312e322e3301bb')
  })

  test('it is written once', () => {
    const [client] = started(socks5)
    assert.deepEqual(client.start(), [])
    assert.equal(client.phase, 'selection')
  })
})

suite('proxies that break the rules', () => {
  test('a method that was not offered, none at all, or another version', () => {
    const login = { ...socks5, methods: [userPasswordClient(bob)] }
    // The proxy picks "no authentication" of a client that must give a password.
    assert.deepEqual(told(started(login, '0500')[1]), ['method_not_offered server'])
    assert.deepEqual(told(started(socks5, '0502')[1]), ['method_not_offered server'])
    assert.deepEqual(told(started(socks5, '05ff')[1]), ['no_acceptable_methods server'])
    assert.deepEqual(told(started(socks5, '04')[1]), ['bad_version server'])
  })

  test('no reply is accepted before the request, and none behind a failure', () => {
    const [client, events] = started(socks5, '05ff')
    assert.deepEqual(told(events), ['no_acceptable_methods server'])
    assert.deepEqual(client.receive(octetsOf(GRANTED)), [])
    assert.deepEqual([client.failedIn, client.takeRemainder().length], ['selection', 0])
  })

  test('a refused login is the end, with and without a reply behind it', () => {
    const login = { ...socks5, methods: [userPasswordClient(bob)] }
    const [client, events] = started(login, '0502', `0101${GRANTED}`)
    assert.deepEqual(told(events), ['auth_rejected server'])
    assert.deepEqual([client.phase, client.failedIn], ['failed', 'exchange'])
  })

  test('a reply that is refused, malformed, or of another protocol', () => {
    assert.deepEqual(told(started(socks5, '0500', '05050001000000000000')[1]), ['request_failed server'])
    assert.deepEqual(told(started(socks5, '0500', '04000001')[1]), ['bad_version server'])
    assert.deepEqual(told(started(socks4, '005b000000000000')[1]), ['rejected server'])
    assert.deepEqual(told(started(socks4, GRANTED)[1]), ['bad_version server'])
    const [client, events] = started(http, toHex(latin1Octets('HTTP/1.1 407 No\r\n\r\n')))
    assert.deepEqual(told(events), ['http_status server'])
    assert.equal(client.failedIn, 'reply')
  })

  test('a name of any length in the reply, cut at each octet, is waited for and read', () => {
    for (const length of [1, 2, 63, 127, 128, 254, 255]) {
      const reply = `05000003${length.toString(16).padStart(2, '0')}${'61'.repeat(length)}0050`
      for (let i = 2; i < reply.length; i += 2) {
        const [client, events] = started(socks5, '0500', reply.slice(0, i))
        assert.deepEqual(events, [])
        assert.deepEqual(told(client.receive(octetsOf(`${reply.slice(i)}7879`))), ['established'])
        assert.equal(latin1Text(client.takeRemainder()), 'xy')
      }
    }
  })
})

suite('what the reply tells', () => {
  test('BND, or nothing where the protocol has none', () => {
    assert.deepEqual(boundOf(started(socks5, '0500', GRANTED)[1]), [ip('192.0.2.10', 40_000)])
    assert.deepEqual(boundOf(started(socks4, '005a9c40c000020a')[1]), [ip('192.0.2.10', 40_000)])
    assert.deepEqual(boundOf(started(http, HTTP_OK)[1]), [ip('0.0.0.0', 0)])
  })

  test('BIND: where it listens, then who came; both in one piece too', () => {
    const bind = { ...socks5, command: 'bind' } as const
    const second = '05000001cb0071050014'
    const [client, events] = started(bind, '0500', GRANTED)
    assert.deepEqual([told(events), client.phase, client.deadlineWanted], [['listening'], 'second-reply', true])
    assert.deepEqual(told(client.receive(octetsOf(`${second}61`))), ['established'])
    assert.equal(latin1Text(client.takeRemainder()), 'a')
    assert.deepEqual(told(started(bind, '0500', GRANTED + second)[1]), ['listening', 'established'])
    assert.deepEqual(told(started({ ...socks4, command: 'bind' }, '005a9c40c000020a005a0014cb007105')[1]), [
      'listening',
      'established',
    ])
  })

  test('octets behind it are the stream: never read, given out once, safe from being overwritten', () => {
    const [client, events] = started(socks5, `0500${GRANTED}0500`)
    assert.deepEqual(told(events).at(-1), 'established')
    const more = octetsOf('0102')
    assert.deepEqual(client.receive(more), [])
    more.fill(0xff)
    assert.deepEqual([client.phase, client.deadlineWanted], ['established', false])
    assert.equal(toHex(client.takeRemainder()), '05000102')
    assert.equal(client.takeRemainder().length, 0)
    assert.deepEqual(client.endOfStream(), [])
  })
})

suite('the end of the stream', () => {
  test('in any phase in which the proxy owes something it is a failure of the proxy', () => {
    const login = { ...socks5, methods: [userPasswordClient(bob)] }
    const bind = { ...socks5, command: 'bind' } as const
    for (const [phase, options, pieces] of [
      ['selection', socks5, []],
      ['selection', socks5, ['05']],
      ['exchange', login, ['0502']],
      ['reply', socks5, ['0500']],
      ['reply', socks4, []],
      ['reply', http, ['48']],
      ['second-reply', bind, ['0500', GRANTED]],
    ] as const) {
      const [client] = started(options, ...pieces)
      assert.deepEqual([client.phase, client.deadlineWanted], [phase, true])
      assert.deepEqual(told(client.endOfStream()), ['truncated server'])
      assert.equal(client.failedIn, phase)
      assert.deepEqual(client.endOfStream(), [])
    }
  })

  test('before the start nobody owes anything', () => {
    const client = new ClientHandshake(socks5)
    assert.deepEqual([client.phase, client.deadlineWanted, client.failedIn], ['idle', false, undefined])
    assert.deepEqual(client.endOfStream(), [])
  })
})

suite('methods', () => {
  const text = latin1Octets('otp 5')

  test('the one that the proxy chose is begun', () => {
    const method = methodOf({ begin: () => ({ kind: 'continue', consumed: 0, send: Uint8Array.of(0xaa) }) })
    assert.deepEqual(told(started(offer(method), '0580')[1]), ['aa'])
    assert.match(told(started(offer(method), '0500')[1])[0] ?? '', /^050100/u)
    assert.deepEqual(told(started(offer(methodOf({})), '0580')[1]), [])
  })

  test('a prompt waits for its response; the proxy may hang up meanwhile', () => {
    let answered = ''
    const method = methodOf({
      read: octets => (octets.length > 0 ? { kind: 'prompt', consumed: 1, text } : { kind: 'need-more' }),
      respond: response => {
        answered = latin1Text(response)
        return { kind: 'done', consumed: 0, send: response }
      },
    })
    const [client, events] = started(offer(method), '0580', '01')
    assert.deepEqual([told(events), client.phase, client.deadlineWanted], [['prompt'], 'prompting', false])
    const [sent, request] = told(client.respond(latin1Octets('7')))
    assert.deepEqual([answered, sent, request?.slice(0, 6)], ['7', '37', '050100'])
    assert.deepEqual(client.respond(latin1Octets('8')), [])
    assert.equal(answered, '7')
    const [left] = started(offer(method), '0580', '01')
    assert.deepEqual(told(left.endOfStream()), ['truncated server'])
    assert.equal(left.failedIn, 'prompting')
  })

  test('one that prompts and takes no response, or that asks, is a bug', () => {
    const [client] = started(offer(methodOf({ read: () => ({ kind: 'prompt', consumed: 0, text }) })), '0580', '01')
    assert.throws(() => client.respond(text), /cannot take a response/u)
    const claim = { kind: 'secret', username: text } as const
    assert.throws(
      () => started(offer(methodOf({ read: () => ({ kind: 'ask', consumed: 0, claim }) })), '0580'),
      /verdict/u,
    )
  })

  test('what a failing method still has to say goes out first', () => {
    const step = { kind: 'failed', send: Uint8Array.of(1, 0xff), failure: failure('aborted', 'server') } as const
    assert.deepEqual(told(started(offer(methodOf({ read: () => step })), '0580')[1]), ['01ff', 'aborted server'])
  })
})

suite('protection', () => {
  const protection: Protection = {
    protect: flip,
    unprotect: octets => (octets.includes(0xee) ? failure('unwrap_failed', 'server') : flip(octets)),
  }
  const method = methodOf({ read: () => ({ kind: 'done', consumed: 0, protection }) })
  const options = { ...socks5, methods: [method] }

  test('the request goes out and the reply comes in through it, also glued to the choice', () => {
    const [client, events] = started(options, '0580')
    assert.match(flipped(told(events)[0] ?? ''), /^050100/u)
    assert.ok(client.protection)
    assert.deepEqual(told(client.receive(octetsOf(flipped(`${GRANTED}61`)))), ['established'])
    assert.equal(latin1Text(client.takeRemainder()), 'a')
    assert.equal(told(started(options, `0580${flipped(GRANTED)}`)[1]).at(-1), 'established')
  })

  test('octets that do not unwrap end it, whenever they come', () => {
    assert.deepEqual(told(started(options, '0580ee')[1]), ['unwrap_failed server'])
    const [client, events] = started(options, '0580', 'ee')
    assert.deepEqual([told(events), client.failedIn], [['unwrap_failed server'], 'reply'])
    assert.deepEqual(client.receive(octetsOf(flipped(GRANTED))), [])
  })
})

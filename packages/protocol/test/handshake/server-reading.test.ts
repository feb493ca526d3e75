/** What a client of the server is told before anything is decided: what is switched off, refused, or not SOCKS. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { ServerHandshake, latin1Octets, latin1Text, toHex } from '@socksmith/protocol'
import { ip, named, octetsOf } from './replay.ts'
import {
  BASIC,
  FAILED_HTTP,
  GREETING,
  REQUEST,
  S4_REQUEST,
  claimOf,
  connect,
  fed,
  open,
  requestOf,
  told,
  withPassword,
} from './server-scene.ts'

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

  test('HTTP has no CONNECT where that is switched off', () => {
    const without = fed({ ...open, commands: ['bind'] }, toHex(latin1Octets('CONNECT a.example:443 HTTP/1.1\r\n\r\n')))
    assert.equal(without[0].phase, 'failed')
    assert.equal(told(without[1]).at(-1), 'command_not_supported client')
  })

  test('BIND for any peer only where that is allowed, in both versions', () => {
    for (const request of ['040201bb0000000000']) {
      assert.equal(fed(open, request)[0].phase, 'failed')
      assert.equal(fed({ ...open, anyPeer: false }, request)[0].phase, 'failed')
      assert.equal(fed({ ...open, anyPeer: true }, request)[0].phase, 'deciding')
    }
  })

  test('a name that holds NUL is refused, not cut: 127.0.0.1 with anything behind it is not 127.0.0.1', () => {
    const name = `127.0.0.1\0.evil.test`
    const hex = toHex(latin1Octets(name))
    const request = `05010003${name.length.toString(16)}${hex}0050`
    assert.equal(told(fed(open, GREETING, request)[1]).at(-1), 'name_has_nul client')
    // In SOCKS4a the NUL ends the name, and what is behind it belongs to the stream.
    const [server, events] = fed(open, `040100500000000100${hex}00`)
    assert.deepEqual(requestOf(events), {
      protocol: 'socks4a',
      command: 'connect',
      destination: named('127.0.0.1', 80),
      userid: new Uint8Array(0),
    })
    assert.equal(latin1Text(server.takeRemainder()), '.evil.test\0')
  })

  test('each message has its own version: a request of SOCKS4 behind a greeting of SOCKS5 is refused', () => {
    assert.equal(told(fed(open, GREETING, '0401000101020304 0050'.replace(' ', ''))[1]).at(-1), 'bad_version client')
    assert.equal(told(fed(withPassword, '050102', '0503626f6206736563726574')[1]).at(-1), 'bad_version client')
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

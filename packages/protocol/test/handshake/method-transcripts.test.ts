/**
 * The `exchanges` of the vectors that use a method of their own, replayed through both machines at every split, and those
 * that are not our handshake, step by step through their codecs. With `transcripts.test.ts` that is all of them.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import {
  type Decoded,
  type Method,
  type UotRequest,
  chapClient,
  chapServer,
  concat,
  cramClient,
  cramServer,
  decodeHevUdpFrame,
  decodeIdentQuery,
  decodeIdentReply,
  decodeProxyV2,
  decodeSocks5Reply,
  decodeSocks5Request,
  decodeSocks6AuthReply,
  decodeSocks6OperationReply,
  decodeSocks6Request,
  decodeUotData,
  decodeUotRequest,
  encodeHevUdpFrame,
  encodeIdentQuery,
  encodeIdentReply,
  encodeProxyV2,
  encodeSocks5Request,
  encodeSocks5Success,
  encodeSocks6AuthReply,
  encodeSocks6OperationReply,
  encodeSocks6Request,
  encodeUotData,
  encodeUotRequest,
  gssapiClient,
  gssapiServer,
  identNames,
  jsonClient,
  jsonServer,
  latin1Text,
  mafClient,
  mafServer,
  noneMethod,
  sslClient,
  sslServer,
  toHex,
  uotVersion,
  userPasswordClient,
  userPasswordServer,
  utf8Octets,
} from '@socksmith/protocol'
import { chapHashes } from '../method/chap-hashes.ts'
import { speaker } from '../method/maf-speaker.ts'
import { mockAcceptor, mockInitiator, scriptedMechanism } from '../method/mock-mechanism.ts'
import { nullTls } from '../method/null-tls.ts'
import {
  type Step,
  stepsOf,
  joined,
  splits,
  octetsOf,
  chance,
  ip,
  optionsWith,
  serve,
  call,
  requestHex,
  bob,
  exchanges,
} from './replay.ts'

interface Case {
  readonly server: Method
  readonly client: Method
  /** What the client comes to when the server has said everything: `established`, a failure code, or `open` when the transcript ends before a reply. */
  readonly clientEnd: string
  /** Octets behind the handshake, in clear text. */
  readonly up?: string
  readonly down?: string
}

const chapBob = { username: bob.username, secret: bob.password, hashes: chapHashes, randomOctets: chance('') }
const counting = '000102030405060708090a0b0c0d0e0f'
const letters = toHex(utf8Octets('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'))
const inner = Uint8Array.of(0, 0, 0, 5)

const CASES: Readonly<Record<string, Case>> = {
  'x-chap-ok': {
    server: chapServer({ hashes: chapHashes, randomOctets: chance(counting) }),
    client: chapClient(chapBob),
    clientEnd: 'established',
  },
  'x-chap-draft-mutual': {
    server: chapServer({ hashes: chapHashes, randomOctets: chance(letters), challengeOctets: 64 }),
    client: chapClient({
      ...chapBob,
      randomOctets: chance('f0e1d2c3b4a5968778695a4b3c2d1e0f'),
      algorithms: [0x05, 0x85],
      grouping: 'draft',
      mutual: 'required',
    }),
    clientEnd: 'established',
  },
  'x-chap-fail': {
    server: chapServer({ hashes: chapHashes, randomOctets: chance(counting) }),
    client: chapClient({ ...chapBob, secret: utf8Octets('wrong') }),
    clientEnd: 'auth_rejected',
  },
  'x-cram': { server: cramServer, client: cramClient(bob), clientEnd: 'open' },
  'x-gss-mock': {
    server: gssapiServer({ mechanism: mockAcceptor }),
    client: gssapiClient({ mechanism: mockInitiator }),
    clientEnd: 'established',
    up: 'hello',
    down: 'world',
  },
  'x-gss-abort': {
    server: gssapiServer({ mechanism: scriptedMechanism({}) }),
    client: gssapiClient({ mechanism: mockInitiator }),
    clientEnd: 'aborted',
  },
  'x-json': {
    server: jsonServer(),
    client: jsonClient({ 'shared-secret': 'rahasia' }),
    clientEnd: 'established',
  },
  // No client of ours writes such a block: its half is what the good one writes instead.
  'x-json-bad': { server: jsonServer(), client: jsonClient({ a: 1 }), clientEnd: 'request_failed' },
  'x-maf': {
    server: mafServer({ groups: [[{ id: inner, begin: () => speaker({ expect: ['abc'], say: ['ok'] }) }]] }),
    client: mafClient([{ id: inner, begin: () => speaker({ first: 'abc', expect: ['ok'], say: [] }) }]),
    clientEnd: 'open',
  },
  'x-ssl-plain': {
    server: sslServer({ tls: () => nullTls, methods: [userPasswordServer] }),
    client: sslClient({ tls: () => nullTls, methods: [userPasswordClient(bob)], udpNaked: true }),
    clientEnd: 'established',
  },
}

/** The transcripts of these ids are in `transcripts.test.ts`. */
const IN_THE_OTHER_FILE: readonly string[] = [
  'x-s5-noauth',
  'x-s5-pipelined',
  'x-s5-userpass',
  'x-s5-userpass-fail',
  'x-s5-none',
  'x-s5-refused',
  'x-s5-bind',
  'x-s5-bind-timeout',
  'x-s5-udp',
  'x-s4-connect',
  'x-s4a-connect',
  'x-s4-bind-ok',
  'x-s4-bind-mismatch',
  'x-tor-resolve',
  'x-http',
]

for (const [id, replayed] of Object.entries(CASES)) {
  const steps = stepsOf(id)
  const handshake = steps.filter(step => !isData(step))
  suite(id, () => {
    test('the server machine answers as written, at every split', () => {
      const fromClient = joined(steps, 'client')
      for (const pieces of splits(fromClient)) {
        const { sent, server } = serve(optionsWith(replayed.server), pieces)
        assert.equal(sent, toHex(joined(handshake, 'server')))
        assert.equal(latin1Text(server.takeRemainder()), replayed.up ?? '')
      }
    })

    test('the client machine writes as written and understands the answer, at every split', () => {
      for (const pieces of splits(joined(steps, 'server'))) {
        const { sent, end, client } = call(replayed.client, pieces)
        const written = toHex(joined(handshake, 'client')) + (replayed.clientEnd === 'open' ? requestHex : '')
        if (id !== 'x-json-bad') assert.equal(sent, written)
        assert.equal(end, replayed.clientEnd)
        if (end === 'established') assert.equal(latin1Text(client.takeRemainder()), replayed.down ?? '')
      }
    })
  })
}

/** One step of a transcript through its codec, there and back. */
type Codec = (octets: Uint8Array) => { readonly consumed: number; readonly again: Uint8Array | undefined }

const CODECS: Readonly<Record<string, readonly Codec[]>> = {
  'x-s4-ident-mismatch': [codec(decodeIdentQuery, encodeIdentQuery), codec(decodeIdentReply, encodeIdentReply)],
  'x-hev': [
    codec(octets => decodeSocks5Request(octets, { commands: [5] }), encodeSocks5Request),
    codec(decodeSocks5Reply, ({ bound }) => encodeSocks5Success(bound)),
    codec(decodeHevUdpFrame, encodeHevUdpFrame),
    codec(octets => decodeHevUdpFrame(octets, { sender: 'server' }), encodeHevUdpFrame),
  ],
  'x-uot-v2': [
    codec(octets => decodeSocks5Request(octets, { udpOverTcp: true }), encodeSocks5Request),
    codec(decodeSocks5Reply, ({ bound }) => encodeSocks5Success(bound)),
    codec(decodeUotRequestAndData, ([uot, data]) => concat([encodeUotRequest(uot), encodeUotData(data) as Uint8Array])),
    codec(decodeUotData, encodeUotData),
  ],
  'x-s6': [
    codec(decodeSocks6Request, encodeSocks6Request),
    codec(decodeSocks6AuthReply, encodeSocks6AuthReply),
    codec(decodeSocks6OperationReply, encodeSocks6OperationReply),
  ],
  'x-proxy2-s5': [],
}

for (const [id, codecs] of Object.entries(CODECS)) {
  // The greeting and its answer are for the machine below; the rest of SOCKS4 stands in the other file.
  const steps = stepsOf(id, true).filter(step => !isGreeting(step) && (id !== 'x-s4-ident-mismatch' || step.transport))
  if (codecs.length === 0) continue
  test(`${id}: every step is read whole, waits for its last octet, and is written back as it was`, () => {
    assert.equal(steps.length, codecs.length)
    for (const [index, step] of steps.entries()) {
      const octets = octetsOf(step.hex)
      const run = codecs[index] as Codec
      const { consumed, again } = run(octets)
      assert.equal(consumed, octets.length, step.message)
      assert.equal(again && toHex(again), step.hex, step.message)
    }
  })
}

test('x-s4-ident-mismatch: the answer is about what was asked, and names somebody else', () => {
  const [query, reply] = stepsOf('x-s4-ident-mismatch', true)
    .filter(step => step.transport !== undefined)
    .map(step => octetsOf(step.hex))
  const asked = decodeIdentQuery(query as Uint8Array)
  assert.ok(asked.kind === 'whole')
  const answered = decodeIdentReply(reply as Uint8Array, { asked: asked.value })
  assert.ok(answered.kind === 'whole')
  assert.equal(identNames(answered.value, utf8Octets('bob')), false)
  assert.equal(identNames(answered.value, utf8Octets('alice')), true)
})

test('x-hev: a server without this command greets as written and refuses the request with 07', () => {
  const [greeting, selection, command] = stepsOf('x-hev').map(step => octetsOf(step.hex)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  for (const pieces of splits(concat([greeting, command]))) {
    const { sent } = serve(optionsWith(noneMethod), pieces)
    assert.equal(sent, `${toHex(selection)}05070001000000000000`)
  }
})

test('x-uot-v2: the request is a CONNECT to the magic name, and its frames come out behind it', () => {
  const steps = stepsOf('x-uot-v2')
  const frames = steps.find(step => step.message === 'uot request + frame')
  const reply = steps.find(step => step.message === 'reply')
  for (const pieces of splits(joined(steps, 'client'))) {
    const options = { ...optionsWith(noneMethod), udpOverTcp: true }
    const { sent, server, asked } = serve(options, pieces, ip('0.0.0.0', 0))
    assert.ok(asked?.address.type === 'domain')
    assert.equal(uotVersion(asked.address.name), 2)
    assert.equal(sent, `0500${reply?.hex}`)
    assert.equal(toHex(server.takeRemainder()), frames?.hex)
    // A server that does not speak it must not dial port 0.
    assert.equal(serve(optionsWith(noneMethod), pieces).server.phase, 'failed')
  }
})

test('x-proxy2-s5: behind the header, which is written back as it was, SOCKS5 begins', () => {
  const steps = stepsOf('x-proxy2-s5')
  const octets = joined(steps, 'client')
  const header = decodeProxyV2(octets)
  assert.ok(header.kind === 'whole')
  assert.deepEqual(header.value.addresses, {
    kind: 'ip',
    source: ip('192.168.0.1', 56_324),
    destination: ip('192.168.0.11', 443),
  })
  assert.equal(toHex(encodeProxyV2(header.value)), toHex(octets.subarray(0, header.consumed)))
  for (let length = 0; length < header.consumed; length++) {
    assert.equal(decodeProxyV2(octets.subarray(0, length)).kind, 'need-more')
  }
  for (const pieces of splits(octets.subarray(header.consumed))) {
    assert.equal(serve(optionsWith(noneMethod), pieces).sent, toHex(joined(steps, 'server')))
  }
})

test('no exchange of the vectors is left out', () => {
  const here = [...Object.keys(CASES), ...Object.keys(CODECS)]
  assert.deepEqual([...here, ...IN_THE_OTHER_FILE].toSorted(), exchanges.map(exchange => exchange.id).toSorted())
  const other = readFileSync(new URL('transcripts.test.ts', import.meta.url), 'utf8')
  for (const id of IN_THE_OTHER_FILE) assert.ok(other.includes(`\n  '${id}': {`), id)
})

// Whole and to the last octet: every shorter piece must wait.
function codec<T>(decode: (octets: Uint8Array) => Decoded<T>, encode: (value: T) => Uint8Array | undefined): Codec {
  return octets => {
    for (let length = 0; length < octets.length; length++) {
      assert.equal(decode(octets.subarray(0, length)).kind, 'need-more')
    }
    const decoded = decode(octets)
    assert.ok(decoded.kind === 'whole')
    return { consumed: decoded.consumed, again: encode(decoded.value) }
  }
}

function decodeUotRequestAndData(octets: Uint8Array): Decoded<[UotRequest, Uint8Array]> {
  const first = decodeUotRequest(octets)
  if (first.kind !== 'whole') return first
  const data = decodeUotData(octets.subarray(first.consumed))
  if (data.kind !== 'whole') return data
  return { kind: 'whole', value: [first.value, data.value], consumed: first.consumed + data.consumed }
}

function isData(step: Step): boolean {
  return /^gss data(?!:)/.test(step.message)
}

function isGreeting(step: Step): boolean {
  return step.message === 'greeting' || step.message === 'selection'
}

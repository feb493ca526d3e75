/**
 * What holds for the decoder of every message, whatever the octets: it never throws, never takes more than it was given,
 * and never changes an answer when more octets come. And for SOCKS and what may stand before it, encoding is undone.
 */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import * as protocol from '@socksmith/protocol'
import type { Address, Decoded, Destination, Endpoint, ProxyV1, ProxyV2, ProxyV2Tlv } from '@socksmith/protocol'
import * as fc from 'fast-check'
import { octetsOf, vectors } from '../vectors.ts'

type Decoder = (octets: Uint8Array) => Decoded<unknown>

const STREAM_DECODERS: Readonly<Record<string, Decoder>> = {
  'socks4.request': octets => protocol.decodeSocks4Request(octets),
  'socks4.reply': octets => protocol.decodeSocks4Reply(octets),
  'socks5.greeting': protocol.decodeSocks5Greeting,
  'socks5.selection': protocol.decodeSocks5Selection,
  'socks5.request': octets => protocol.decodeSocks5Request(octets),
  'socks5.reply': protocol.decodeSocks5Answer,
  'rfc1929.request': octets => protocol.decodeUserPasswordRequest(octets),
  'rfc1929.reply': octets => protocol.decodeUserPasswordReply(octets),
  'rfc1961.frame': octets => protocol.decodeGssapiFrame(octets),
  'chap-cram.message': octets => protocol.decodeChapMessage(octets),
  'ssl.frame': octets => protocol.decodeSslFrame(octets),
  'eap.frame': octets => protocol.decodeEapFrame(octets),
  'maf.message': octets => protocol.decodeMafMessage(octets),
  'json.block': protocol.decodeJsonBlock,
  'hev.udp-in-tcp': octets => protocol.decodeHevUdpFrame(octets),
  'gost.udp-tun': octets => protocol.decodeGostUdpFrame(octets),
  'uot.packet-frame': octets => protocol.decodeUotPacket(octets),
  'uot.connect-frame': protocol.decodeUotData,
  'uot.request-v2': protocol.decodeUotRequest,
  'socks6.request': protocol.decodeSocks6Request,
  'socks6.auth-reply': protocol.decodeSocks6AuthReply,
  'socks6.operation-reply': protocol.decodeSocks6OperationReply,
  'socks6.udp-message': octets => protocol.decodeSocks6UdpMessage(octets),
  'ident.query': protocol.decodeIdentQuery,
  'ident.reply': octets => protocol.decodeIdentReply(octets),
  'proxy.v1': protocol.decodeProxyV1,
  'proxy.v2': protocol.decodeProxyV2,
  'http.connect-request': protocol.decodeHttpConnectRequest,
  'http.connect-response': protocol.decodeHttpConnectResponse,
  'mixed-port.first-octet': protocol.decodeFirstOctet,
}

/** A datagram is all there or malformed. */
const DATAGRAM_DECODERS: Readonly<Record<string, Decoder>> = {
  'socks5.udp': decodeUdp,
  'dns.fake-answer': protocol.decodeDnsMessage,
}

function decodeUdp(all: Uint8Array): Decoded<protocol.Socks5Datagram> {
  const decoded = protocol.decodeSocks5Datagram(all, { reassemble: true })
  return decoded.kind === 'whole' ? protocol.whole(decoded.value, all.length) : decoded
}

const octet = fc.integer({ min: 0, max: 0xff })
const octets = (min: number, max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: min, maxLength: max })

/** Up to 64 KiB: a drawn beginning, and noise from the drawn length, since drawing each octet would take long. */
const anyOctets = fc.tuple(octets(0, 300), fc.nat(65_536)).map(([front, length]) => {
  const all = new Uint8Array(Math.max(length, front.length))
  let noise = 0x9e3779b9 ^ length
  for (let i = 0; i < all.length; i++) {
    noise ^= noise << 13
    noise ^= noise >>> 17
    noise ^= noise << 5
    all[i] = noise
  }
  all.set(front)
  return all
})

/** The octets of a vector with a few of them changed, and cut or with others behind. */
function mutated(message: string): fc.Arbitrary<Uint8Array> {
  const known = vectors.valid.filter(vector => vector.message === message).map(({ hex }) => octetsOf(hex))
  const changes = fc.array(fc.tuple(fc.nat(), octet), { maxLength: 4 })
  return fc.tuple(fc.constantFrom(...known), changes, octets(0, 40), fc.nat()).map(([from, list, behind, cut]) => {
    const all = protocol.concat([from, behind])
    for (const [at, value] of list) all[at % from.length] = value
    return cut % 3 === 0 ? all.slice(0, cut % (all.length + 1)) : all
  })
}

test('every message of the vectors has its decoder here', () => {
  const messages = new Set([...vectors.valid, ...vectors.malformed].map(({ message }) => message))
  const decoders = [...Object.keys(STREAM_DECODERS), ...Object.keys(DATAGRAM_DECODERS)]
  assert.deepEqual(decoders.toSorted(), [...messages].toSorted())
})

suite('any octets have an answer, which stays', () => {
  for (const [message, decode] of Object.entries({ ...STREAM_DECODERS, ...DATAGRAM_DECODERS })) {
    const check = message in STREAM_DECODERS ? checkStream : checkDatagram
    test(message, () => {
      const inputs = fc.oneof(octets(0, 40), anyOctets, mutated(message), mutated(message))
      fc.assert(
        fc.property(inputs, fc.nat(), (all, cut) => check(decode, all, cut)),
        { numRuns: 400 },
      )
    })
  }
})

function checkAnswer(decode: Decoder, all: Uint8Array): Decoded<unknown> {
  const before = all.slice()
  const answer = decode(all)
  assert.ok(protocol.sameOctets(all, before), 'decoding changed the octets')
  if (answer.kind === 'whole') assert.ok(answer.consumed >= 0 && answer.consumed <= all.length)
  if (answer.kind === 'malformed') assert.notEqual(answer.failure.blame, 'us')
  return answer
}

function checkDatagram(decode: Decoder, all: Uint8Array): void {
  assert.notEqual(checkAnswer(decode, all).kind, 'need-more')
}

function checkStream(decode: Decoder, all: Uint8Array, cut: number): void {
  const answer = checkAnswer(decode, all)
  const early = decode(all.slice(0, cut % (all.length + 1)))
  if (early.kind === 'whole') assert.deepEqual(answer, early)
  if (early.kind === 'malformed') assert.equal(answer.kind, 'malformed')
  if (answer.kind !== 'whole' || answer.consumed === 0) return
  // What is consumed is the message, neither more nor less.
  assert.equal(decode(all.slice(0, answer.consumed - 1)).kind, 'need-more')
  assert.deepEqual(decode(all.slice(0, answer.consumed)), answer)
}

// Plain objects, as the decoders make them.
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true })
}

const uint16 = fc.integer({ min: 0, max: 0xffff })
const port = fc.integer({ min: 1, max: 0xffff })
// Never 0.0.0.0, ::, nor the form of SOCKS4a: requests for those have a meaning of their own.
const ipv4 = octets(3, 3).map(ip => ({ type: 'ipv4', octets: protocol.concat([Uint8Array.of(9), ip]) }) as const)
const ipv6 = octets(15, 15).map(ip => ({ type: 'ipv6', octets: protocol.concat([Uint8Array.of(9), ip]) }) as const)
const domain = fc
  .array(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), { minLength: 1, maxLength: 5 })
  .map(labels => ({ type: 'domain', name: labels.join('.') }) as const)
const address: fc.Arbitrary<Address> = fc.oneof(ipv4, ipv6, domain)
const destination: fc.Arbitrary<Destination> = record({ address, port })
const field = octets(0, 255)

function endpoints(ip: fc.Arbitrary<Endpoint['address']>): fc.Arbitrary<{ source: Endpoint; destination: Endpoint }> {
  const end = record({ address: ip, port: uint16 })
  return record({ source: end, destination: end })
}

/** What is encoded and followed by other octets decodes to itself, and the other octets stay. */
function undone<T>(
  message: string,
  values: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (octets: Uint8Array) => Decoded<T>,
): void {
  test(message, () => {
    const mostBehind = message in DATAGRAM_DECODERS ? 0 : 8
    fc.assert(
      fc.property(values, octets(0, mostBehind), (value, behind) => {
        const written = encode(value)
        const decoded = decode(protocol.concat([written, behind]))
        assert.deepEqual(decoded, { kind: 'whole', value, consumed: written.length })
      }),
    )
  })
}

suite('decoding undoes encoding: SOCKS', () => {
  const userid = octets(0, 255).map(all => all.map(one => Math.max(one, 1)))
  const socks4 = fc.oneof(
    record({ command: fc.constantFrom(1, 2), userid, ip: ipv4.map(({ octets: ip }) => ip), port }).map(
      ({ command, userid: user, ip, port: at }): protocol.Socks4Request => ({
        command,
        userid: user,
        ip,
        destination: { address: { type: 'ipv4', octets: ip }, port: at },
      }),
    ),
    record({
      command: fc.constantFrom(1, 2),
      userid,
      ip: octet.map(x => Uint8Array.of(0, 0, 0, Math.max(x, 1))),
      destination: record({ address: domain, port }),
    }),
  )
  undone<protocol.Socks4Request>('socks4.request', socks4, protocol.encodeSocks4Request, all =>
    protocol.decodeSocks4Request(all),
  )
  const socks4Reply = record({ version: fc.constantFrom(0, 4), code: octet, bound: record({ address: ipv4, port }) })
  undone<protocol.Socks4Reply>('socks4.reply', socks4Reply, protocol.encodeSocks4Reply, all =>
    protocol.decodeSocks4Reply(all),
  )
  const methods = fc.array(octet, { minLength: 1, maxLength: 255 })
  undone('socks5.greeting', record({ methods }), protocol.encodeSocks5Greeting, protocol.decodeSocks5Greeting)
  const selection = record({ method: octet })
  undone('socks5.selection', selection, protocol.encodeSocks5Selection, protocol.decodeSocks5Selection)
  const socks5 = record({ command: fc.constantFrom(1, 2, 3), reserved: octet, destination })
  undone('socks5.request', socks5, protocol.encodeSocks5Request, all => protocol.decodeSocks5Request(all))
  const socks5Reply = record({ rep: octet, reserved: octet, bound: destination })
  undone('socks5.reply', socks5Reply, protocol.encodeSocks5Reply, protocol.decodeSocks5Reply)
  const datagram = record({ frag: octet, destination, data: octets(0, 600) })
  undone('socks5.udp', datagram, protocol.encodeSocks5Datagram, decodeUdp)
  const password = record({ username: field, password: field })
  undone('rfc1929.request', password, protocol.encodeUserPasswordRequest, all =>
    protocol.decodeUserPasswordRequest(all),
  )
  const verdict = record({ version: octet, status: octet })
  undone('rfc1929.reply', verdict, protocol.encodeUserPasswordReply, all => protocol.decodeUserPasswordReply(all))
})

suite('decoding undoes encoding: what stands before SOCKS, or beside it', () => {
  const header: fc.Arbitrary<ProxyV1> = fc.oneof(
    fc.constant({ family: 'UNKNOWN' as const }),
    endpoints(ipv4).map((ends): ProxyV1 => Object.assign(ends, { family: 'TCP4' as const })),
    endpoints(ipv6).map((ends): ProxyV1 => Object.assign(ends, { family: 'TCP6' as const })),
  )
  undone('proxy.v1', header, protocol.encodeProxyV1, protocol.decodeProxyV1)
  const binary = fc.oneof(proxyV2(ipv4, 0x11, 12), proxyV2(ipv6, 0x21, 36))
  undone('proxy.v2', binary, protocol.encodeProxyV2, protocol.decodeProxyV2)
  const headers = fc.array(
    fc.tuple(fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/), fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/)),
    { maxLength: 20 },
  )
  const connect = record({ destination, headers })
  undone<protocol.HttpConnectRequest>(
    'http.connect-request',
    connect,
    protocol.encodeHttpConnectRequest,
    protocol.decodeHttpConnectRequest,
  )
  const answer = record({ type: uint16, ttl: fc.nat(), data: octets(0, 300) })
  const question = record({ name: domain.map(({ name }) => name), type: uint16 })
  const dns = record({ id: uint16, flags: uint16, question, answers: fc.array(answer, { maxLength: 5 }) })
  undone<protocol.DnsMessage>('dns.fake-answer', dns, protocol.encodeDnsMessage, protocol.decodeDnsMessage)
})

function proxyV2(
  ip: fc.Arbitrary<Endpoint['address']>,
  familyAndProtocol: number,
  addressOctets: number,
): fc.Arbitrary<ProxyV2> {
  // 03 is the checksum, which is judged.
  const tlv: fc.Arbitrary<ProxyV2Tlv> = record({ type: octet.filter(type => type !== 0x03), value: octets(0, 100) })
  return fc.tuple(endpoints(ip), fc.array(tlv, { maxLength: 4 })).map(([{ source, destination: target }, tlvs]) => ({
    command: 'PROXY',
    familyAndProtocol,
    length: tlvs.reduce((sum, { value }) => sum + 3 + value.length, addressOctets),
    addresses: { kind: 'ip', source, destination: target },
    tlvs,
  }))
}

/** What holds for every message of the methods and extensions: encoding is undone, and no octets throw or are invented. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import * as fc from 'fast-check'
import type { Address, Destination } from '../../src/address.ts'
import type { Decoded } from '../../src/decoded.ts'
import { concat, octetAt } from '../../src/octets.ts'
import { decodeChapMessage, encodeChapMessage } from '../../src/wire/chap-message.ts'
import { decodeDnsMessage } from '../../src/wire/dns-answer.ts'
import { decodeEapFrame, encodeEapFrame } from '../../src/wire/eap-frame.ts'
import { decodeGostUdpFrame, encodeGostUdpFrame } from '../../src/wire/gost-udp-frame.ts'
import * as gssapi from '../../src/wire/gssapi-frame.ts'
import { decodeHevUdpFrame, encodeHevUdpFrame } from '../../src/wire/hev-udp-frame.ts'
import * as ident from '../../src/wire/ident.ts'
import { decodeJsonBlock, encodeJsonBlock } from '../../src/wire/json-block.ts'
import { MAF_INSTR, type MafMessage, decodeMafMessage, encodeMafMessage } from '../../src/wire/maf-message.ts'
import * as socks6 from '../../src/wire/socks6.ts'
import { type Socks6UdpMessage, decodeSocks6UdpMessage, encodeSocks6UdpMessage } from '../../src/wire/socks6-udp.ts'
import { type SslState, decodeSslFrame, encodeSslFrame } from '../../src/wire/ssl-frame.ts'
import * as uot from '../../src/wire/uot.ts'
import { octetsOf, vectors } from '../vectors.ts'
import { mockGssapi } from './mock-gssapi.ts'

// Objects as the decoders make them: with the ordinary prototype.
function record<T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true })
}

const octet = fc.integer({ min: 0, max: 255 })
const octetsUpTo = (max: number, min = 0): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: min, maxLength: max })
const port = fc.integer({ min: 0, max: 65_535 })
const address: fc.Arbitrary<Address> = fc.oneof(
  octetsUpTo(4, 4).map(octets => ({ type: 'ipv4' as const, octets })),
  octetsUpTo(16, 16).map(octets => ({ type: 'ipv6' as const, octets })),
  fc.domain().map(name => ({ type: 'domain' as const, name })),
)
const destination: fc.Arbitrary<Destination> = record({ address, port })
const datagram = record({ destination, data: octetsUpTo(64, 1) })
const identPort = fc.integer({ min: 1, max: 65_535 })
const identPorts = { portOnIdentHost: identPort, portOnQuerier: identPort }
const userId = fc.array(fc.integer({ min: 0x20, max: 0xff }), { minLength: 1, maxLength: 512 })
const identReply: fc.Arbitrary<ident.IdentReply> = fc.oneof(
  record({
    ...identPorts,
    type: fc.constant('USERID' as const),
    opsys: fc.constantFrom('UNIX', 'OTHER'),
    charset: fc.constantFrom('US-ASCII', 'UTF-8'),
    userId: userId.map(octets => Uint8Array.from(octets)),
  }),
  record({ ...identPorts, type: fc.constant('ERROR' as const), error: fc.constantFrom('NO-USER', 'X-OWN') }),
)
const options = fc.array(
  record({ kind: port, data: fc.integer({ min: 0, max: 4 }).chain(words => octetsUpTo(words * 4, words * 4)) }),
  { maxLength: 4 },
)
const mafId = fc.oneof(octetsUpTo(4, 4), octetsUpTo(16, 16))
const mafGroup = fc.constantFrom(4 as const, 16 as const).chain(idLength =>
  record({
    idLength: fc.constant(idLength),
    ids: fc.array(octetsUpTo(idLength, idLength), { minLength: 1, maxLength: 5 }),
  }),
)
const mafMessage: fc.Arbitrary<MafMessage> = fc.oneof(
  record({ instr: fc.constant(MAF_INSTR.canDo), flags: port, groups: fc.array(mafGroup, { maxLength: 3 }) }),
  record({ instr: fc.constantFrom(MAF_INSTR.more, MAF_INSTR.whatNext, MAF_INSTR.acknowledge), flags: port }),
  record({ instr: fc.constant(MAF_INSTR.do), flags: port, method: mafId }),
  record({ instr: fc.constant(MAF_INSTR.process), flags: port, method: mafId, data: octetsUpTo(40) }),
  record({ instr: fc.constant(MAF_INSTR.oem), flags: port, oemId: octetsUpTo(20, 1), data: octetsUpTo(40) }),
  record({ instr: fc.constantFrom(MAF_INSTR.success, MAF_INSTR.failure), flags: port }),
)
const associationId = octetsUpTo(8, 8)
const socks6Udp: fc.Arbitrary<Socks6UdpMessage> = fc.oneof(
  record({ type: fc.constantFrom('initialisation' as const, 'confirmation' as const), associationId }),
  record({ type: fc.constant('datagram' as const), associationId, destination, data: octetsUpTo(40) }),
  record({ type: fc.constant('error' as const), associationId, destination, code: octet, reporter: address }),
)

/** What is encoded and followed by other octets decodes to itself, and the other octets stay. */
function undone<T>(
  name: string,
  values: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array | undefined,
  decode: (octets: Uint8Array) => Decoded<T>,
): void {
  test(name, () => {
    fc.assert(
      fc.property(values, octetsUpTo(8), (value, behind) => {
        const octets = encode(value)
        assert.ok(octets !== undefined)
        assert.deepEqual(decode(concat([octets, behind])), { kind: 'whole', value, consumed: octets.length })
      }),
    )
  })
}

suite('decode undoes encode', () => {
  const token = record({ mtyp: fc.constantFrom(1 as const, 2 as const, 3 as const), token: octetsUpTo(300) })
  const attributes = fc.array(record({ att: octet, value: octetsUpTo(255) }), { minLength: 1, maxLength: 6 })
  const sslState = fc.constantFrom<SslState>(1, 2, 3, 4)
  undone<gssapi.GssapiFrame>('RFC 1961 frame', token, gssapi.encodeGssapiFrame, octets =>
    gssapi.decodeGssapiFrame(octets),
  )
  undone('CHAP message', record({ attributes }), encodeChapMessage, octets => decodeChapMessage(octets))
  undone('SSL frame', record({ state: sslState, data: octetsUpTo(300) }), encodeSslFrame, o => decodeSslFrame(o))
  undone('EAP frame', record({ code: octet, id: octet, data: octetsUpTo(300) }), encodeEapFrame, o => decodeEapFrame(o))
  undone('MAF message', mafMessage, encodeMafMessage, octets => decodeMafMessage(octets))
  undone('ident query', record(identPorts), ident.encodeIdentQuery, ident.decodeIdentQuery)
  undone('ident reply', identReply, ident.encodeIdentReply, octets => ident.decodeIdentReply(octets))
  undone('hev frame', datagram, encodeHevUdpFrame, octets => decodeHevUdpFrame(octets))
  undone('gost frame', datagram, encodeGostUdpFrame, octets => decodeGostUdpFrame(octets))
  undone('UoT packet', datagram, uot.encodeUotPacket, octets => uot.decodeUotPacket(octets))
  undone('UoT data', octetsUpTo(300), uot.encodeUotData, uot.decodeUotData)
  const uotRequest = record({ isConnect: fc.boolean(), destination })
  undone('UoT request', uotRequest, uot.encodeUotRequest, uot.decodeUotRequest)
  const request = record({ command: octet, destination, options })
  undone('SOCKS6 request', request, socks6.encodeSocks6Request, socks6.decodeSocks6Request)
  const authReply = record({ type: octet, options })
  undone('SOCKS6 auth reply', authReply, socks6.encodeSocks6AuthReply, socks6.decodeSocks6AuthReply)
  const operationReply = record({ code: octet, bound: destination, options })
  undone('SOCKS6 reply', operationReply, socks6.encodeSocks6OperationReply, socks6.decodeSocks6OperationReply)
  undone('SOCKS6 UDP message', socks6Udp, encodeSocks6UdpMessage, octets => decodeSocks6UdpMessage(octets))

  test('JSON block', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), given => {
        const parameters: unknown = JSON.parse(JSON.stringify(given))
        const octets = encodeJsonBlock(given)
        const value = { length: octets.length - 4, parameters }
        assert.deepEqual(decodeJsonBlock(octets), { kind: 'whole', value, consumed: octets.length })
      }),
    )
  })

  test('user data of any length, cut into frames', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3 * gssapi.PLAIN_OCTETS_MAX }), fc.boolean(), (length, confidential) => {
        const plain = new Uint8Array(length).fill(length & 0xff)
        let rest = gssapi.encodeUserData(plain, confidential, mockGssapi)
        const pieces: Uint8Array[] = []
        while (rest.length > 0) {
          const frame = gssapi.decodeGssapiFrame(rest, { expect: gssapi.MTYP.userData })
          assert.ok(frame.kind === 'whole')
          const data = gssapi.decodeUserData(frame.value.token, gssapi.GSSAPI_LEVEL.selective, mockGssapi)
          assert.ok(data.kind === 'whole')
          pieces.push(data.value.plain)
          rest = rest.subarray(frame.consumed)
        }
        assert.deepEqual(concat(pieces), plain)
      }),
      { numRuns: 30 },
    )
  })
})

const DECODERS: Readonly<Record<string, (octets: Uint8Array) => Decoded<unknown>>> = {
  'ident.query': ident.decodeIdentQuery,
  'ident.reply': octets => ident.decodeIdentReply(octets),
  'rfc1961.frame': octets => gssapi.decodeGssapiFrame(octets),
  'chap-cram.message': octets => decodeChapMessage(octets),
  'ssl.frame': octets => decodeSslFrame(octets),
  'eap.frame': octets => decodeEapFrame(octets),
  'maf.message': octets => decodeMafMessage(octets),
  'json.block': decodeJsonBlock,
  'hev.udp-in-tcp': octets => decodeHevUdpFrame(octets),
  'gost.udp-tun': octets => decodeGostUdpFrame(octets),
  'uot.packet-frame': octets => uot.decodeUotPacket(octets),
  'uot.connect-frame': uot.decodeUotData,
  'uot.request-v2': uot.decodeUotRequest,
  'socks6.request': socks6.decodeSocks6Request,
  'socks6.auth-reply': socks6.decodeSocks6AuthReply,
  'socks6.operation-reply': socks6.decodeSocks6OperationReply,
  'socks6.udp-message': octets => decodeSocks6UdpMessage(octets),
  'dns.fake-answer': decodeDnsMessage,
}

/** A valid message with some octets changed and perhaps its end cut off: it reaches much deeper than chance does. */
function mutated(message: string): fc.Arbitrary<Uint8Array> {
  const seeds = vectors.valid.filter(vector => vector.message === message).map(({ hex }) => octetsOf(hex))
  const changes = fc.array(fc.tuple(fc.nat(), octet), { maxLength: 4 })
  return fc.tuple(fc.constantFrom(...seeds), changes, fc.nat()).map(([seed, changed, cut]) => {
    const octets = seed.slice(0, cut % 3 === 0 ? cut % (seed.length + 1) : seed.length)
    for (const [at, value] of changed) if (octets.length > 0) octets[at % octets.length] = value
    return octets
  })
}

suite('no octets throw, and none are consumed that are not there', () => {
  for (const [message, decode] of Object.entries(DECODERS)) {
    test(message, () => {
      fc.assert(
        fc.property(fc.oneof(octetsUpTo(80), mutated(message)), octets => {
          const before = octets.slice()
          const decoded = decode(octets)
          assert.deepEqual(octets, before)
          if (decoded.kind === 'whole') assert.ok(decoded.consumed > 0 && decoded.consumed <= octets.length)
          if (decoded.kind === 'malformed') assert.notEqual(decoded.failure.blame, 'us')
        }),
        { numRuns: 400 },
      )
    })
  }

  test('the protection level takes any token', () => {
    fc.assert(
      fc.property(octetsUpTo(6), fc.boolean(), fc.boolean(), (token, nec, clear) => {
        const level = gssapi.decodeProtectionLevel(token, mockGssapi, { nec, clear })
        if (level.kind === 'whole' && level.value.form === 'nec') assert.ok(nec && octetAt(token, 0) <= 3)
      }),
    )
  })
})

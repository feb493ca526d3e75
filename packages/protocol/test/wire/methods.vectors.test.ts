/** Every vector of the authentication methods and the extensions: ident, GSSAPI, CHAP, SSL, EAP, MAF, JSON, UDP in TCP, SOCKS6, DNS. */
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { suite, test } from 'node:test'
import { type Address, type Destination, formatAddress, formatDestination, parseIp } from '../../src/address.ts'
import { usableBnd } from '../../src/bnd.ts'
import { chapResponse, sameChapResponse } from '../../src/chap-response.ts'
import { type Decoded, type Whole, malformed, whole } from '../../src/decoded.ts'
import { type Failure } from '../../src/failure.ts'
import { concat, toHex, uint16At } from '../../src/octets.ts'
import { latin1Text } from '../../src/text.ts'
import * as chap from '../../src/wire/chap-message.ts'
import { decodeDnsMessage, encodeDnsMessage } from '../../src/wire/dns-answer.ts'
import { decodeEapFrame, encodeEapFrame } from '../../src/wire/eap-frame.ts'
import { decodeGostUdpFrame, encodeGostUdpFrame } from '../../src/wire/gost-udp-frame.ts'
import * as gssapi from '../../src/wire/gssapi-frame.ts'
import { decodeHevUdpFrame, encodeHevUdpFrame } from '../../src/wire/hev-udp-frame.ts'
import * as ident from '../../src/wire/ident.ts'
import { decodeJsonBlock, encodeJsonBlock, refusalOfJsonBlock } from '../../src/wire/json-block.ts'
import * as maf from '../../src/wire/maf-message.ts'
import * as socks6 from '../../src/wire/socks6.ts'
import type { Socks6Option } from '../../src/wire/socks6-option.ts'
import { decodeSocks6UdpMessage, encodeSocks6UdpMessage } from '../../src/wire/socks6-udp.ts'
import { type SslState, decodeSslFrame, encodeSslFrame } from '../../src/wire/ssl-frame.ts'
import * as uot from '../../src/wire/uot.ts'
import { mockGssapi as mock } from './mock-gssapi.ts'
import { type Context, adapter, octetsOf, runVectors, vectors } from '../vectors.ts'

interface GssapiSeen {
  readonly frame: gssapi.GssapiFrame
  readonly level?: gssapi.ProtectionLevel
  readonly data?: gssapi.Unwrapped
}

function decodeGssapi(octets: Uint8Array, context: Context): Decoded<GssapiSeen> {
  const sender = context.side === 'client' ? 'server' : 'client'
  const expect = (context.expect ?? (context.side === 'client' ? gssapi.MTYP.authentication : undefined)) as
    | gssapi.TokenType
    | undefined
  const decoded = gssapi.decodeGssapiFrame(octets, expect === undefined ? { sender } : { sender, expect })
  if (decoded.kind !== 'whole' || context.mockGss !== true) {
    return decoded.kind === 'whole' ? whole({ frame: decoded.value }, decoded.consumed) : decoded
  }
  const { value: frame, consumed } = decoded
  if (frame.mtyp === gssapi.MTYP.protectionLevel) {
    const level = gssapi.decodeProtectionLevel(frame.token, mock, { nec: context.nec === true })
    return level.kind === 'whole' ? whole({ frame, level: level.value }, consumed) : level
  }
  if (frame.mtyp !== gssapi.MTYP.userData) return whole({ frame }, consumed)
  const data = gssapi.decodeUserData(frame.token, gssapi.GSSAPI_LEVEL.integrity, mock)
  return data.kind === 'whole' ? whole({ frame, data: data.value }, consumed) : data
}

function gssapiJson({ frame, level, data }: GssapiSeen): unknown {
  if (frame.mtyp === gssapi.MTYP.abort) return { version: 1, mtyp: frame.mtyp }
  const token = { version: 1, mtyp: frame.mtyp, tokenLength: frame.token.length, tokenHex: toHex(frame.token) }
  if (level !== undefined) return { ...token, ...(level.form === 'nec' ? { form: 'nec' } : {}), level: level.level }
  return data === undefined ? token : { ...token, conf: data.confidential, plainHex: toHex(data.plain) }
}

function encodeGssapi({ frame, level, data }: GssapiSeen): Uint8Array {
  if (level !== undefined) return gssapi.encodeProtectionLevel(level, mock)
  return data === undefined
    ? gssapi.encodeGssapiFrame(frame)
    : gssapi.encodeUserData(data.plain, data.confidential, mock)
}

const OFFERED: readonly number[] = [chap.CHAP_ALGORITHM.hmacMd5]

function decodeChap(octets: Uint8Array, context: Context): Decoded<chap.ChapMessage> {
  const decoded = chap.decodeChapMessage(octets, { sender: context.side === 'client' ? 'server' : 'client' })
  if (decoded.kind !== 'whole' || context.decodeOnly === true) return decoded
  const fault = context.side === 'client' ? chap.chapServerFault(decoded.value, OFFERED) : chapFault(decoded, context)
  return fault === undefined ? decoded : { kind: 'malformed', failure: fault }
}

function chapFault({ value }: Whole<chap.ChapMessage>, context: Context): Failure | undefined {
  const state = { algorithms: OFFERED, challenged: context.noChallengeYet !== true }
  const octets = context.hmac === true ? { responseOctets: chap.CHAP_RESPONSE_OCTETS } : {}
  const fault = chap.chapClientFault(value, { ...state, ...octets })
  if (fault !== undefined || context.expectResponse === undefined) return fault
  const response = chap.chapValue(value, chap.CHAP_ATTRIBUTE.response)
  assert.ok(response !== undefined)
  if (sameChapResponse(octetsOf(context.expectResponse), response)) return undefined
  return malformed('auth_rejected', 'client').failure
}

const CHAP_NAMES: { readonly [att: number]: string } = {
  0: 'STATUS',
  1: 'TEXT-MESSAGE',
  2: 'USER-IDENTITY',
  3: 'CHALLENGE',
  4: 'RESPONSE',
  16: 'IDENTIFIER',
  17: 'ALGORITHMS',
}

function mafJson(message: maf.MafMessage): unknown {
  const { instr, flags } = message
  const final = instr === maf.MAF_INSTR.success || instr === maf.MAF_INSTR.failure
  const head = { instr, version: final ? 0 : 1, flags }
  if (final) return { ...head, method: instr === maf.MAF_INSTR.success ? '00000000' : 'ffffffff' }
  if ('groups' in message) {
    return { ...head, groups: message.groups.map(({ idLength, ids }) => ({ idLength, ids: ids.map(toHex) })) }
  }
  const method = 'method' in message ? { method: toHex(message.method) } : {}
  const oemId = 'oemId' in message ? { oemId: toHex(message.oemId) } : {}
  return { ...head, ...method, ...oemId, ...('data' in message ? { dataHex: toHex(message.data) } : {}) }
}

function hostJson(address: Address): { addrType: string; host: string } {
  return { addrType: address.type, host: formatAddress(address) }
}

function destinationJson({ address, port }: Destination): object {
  return { ...hostJson(address), port }
}

function dataJson(data: Uint8Array): object {
  return { dataLength: data.length, dataHex: toHex(data) }
}

function optionsJson(options: readonly Socks6Option[]): object {
  const listed = options.map(({ kind, data }) => ({ kind, length: 4 + data.length, dataHex: toHex(data) }))
  return { optionsLength: listed.reduce((sum, { length }) => sum + length, 0), options: listed }
}

function encoded(octets: Uint8Array | undefined): Uint8Array {
  assert.ok(octets !== undefined)
  return octets
}

runVectors({
  'ident.query': adapter({
    decode: ident.decodeIdentQuery,
    toJson: ports => ports,
    encode: ident.encodeIdentQuery,
    lenient: ['ident-query-tight', 'ident-query-loose'],
  }),
  'ident.reply': adapter({
    decode(octets, { asked }) {
      if (asked === undefined) return ident.decodeIdentReply(octets)
      return ident.decodeIdentReply(octets, { asked: { portOnIdentHost: asked[0], portOnQuerier: asked[1] } })
    },
    toJson(reply) {
      if (reply.type === 'ERROR') return reply
      const { userId, ...rest } = reply
      const stripped = latin1Text(ident.withoutOneBlank(userId))
      return { ...rest, useridRaw: latin1Text(userId), useridOneBlankStripped: stripped }
    },
    encode: ident.encodeIdentReply,
    lenient: ['ident-userid-charset', 'ident-userid-colons', 'ident-userid-nospace'],
  }),
  'rfc1961.frame': adapter({
    decode: decodeGssapi,
    toJson: gssapiJson,
    encode: encodeGssapi,
    refusal: (cause, { expect }, octets) => gssapi.refusalOfGssapi(cause, (expect ?? octets[1]) as gssapi.TokenType),
  }),
  'chap-cram.message': adapter({
    decode: decodeChap,
    toJson({ attributes }) {
      return {
        version: 1,
        attributes: attributes.map(({ att, value }) => ({
          att,
          name: CHAP_NAMES[att] ?? 'unknown',
          valueHex: toHex(value),
        })),
      }
    },
    encode: chap.encodeChapMessage,
    refusal: chap.refusalOfChapMessage,
  }),
  'ssl.frame': adapter({
    decode: (octets, { state }) => decodeSslFrame(octets, state === undefined ? {} : { reached: state as SslState }),
    toJson: ({ state, data }) => ({ version: 1, state, dataHex: toHex(data) }),
    encode: encodeSslFrame,
  }),
  'eap.frame': adapter({
    decode: octets => decodeEapFrame(octets),
    toJson: ({ code, id, data }) => ({ version: 1, code, id, length: data.length, dataHex: toHex(data) }),
    encode: encodeEapFrame,
  }),
  'maf.message': adapter({
    decode: octets => maf.decodeMafMessage(octets),
    toJson: mafJson,
    encode: maf.encodeMafMessage,
    refusal: maf.refusalOfMafMessage,
  }),
  'json.block': adapter({
    decode: decodeJsonBlock,
    toJson: ({ length, parameters }) => ({ length, json: parameters }),
    encode: ({ parameters }) => encodeJsonBlock(parameters),
    refusal: refusalOfJsonBlock,
  }),
  'hev.udp-in-tcp': adapter({
    decode: octets => decodeHevUdpFrame(octets),
    toJson: ({ destination, data }, octets) => ({
      ...destinationJson(destination),
      ...dataJson(data),
      headerLength: octets.length - data.length,
    }),
    encode: frame => encoded(encodeHevUdpFrame(frame)),
  }),
  'gost.udp-tun': adapter({
    decode: octets => decodeGostUdpFrame(octets),
    toJson: ({ destination, data }) => ({ ...destinationJson(destination), ...dataJson(data), marker: 0xff }),
    encode: frame => encoded(encodeGostUdpFrame(frame)),
  }),
  'uot.packet-frame': adapter({
    decode: octets => uot.decodeUotPacket(octets),
    toJson: ({ destination, data }) => ({
      atyp: ['ipv4', 'ipv6', 'domain'].indexOf(destination.address.type),
      ...destinationJson(destination),
      ...dataJson(data),
    }),
    encode: packet => encoded(uot.encodeUotPacket(packet)),
  }),
  'uot.connect-frame': adapter({
    decode: uot.decodeUotData,
    toJson: dataJson,
    encode: data => encoded(uot.encodeUotData(data)),
  }),
  'uot.request-v2': adapter({
    decode: uot.decodeUotRequest,
    toJson: ({ isConnect, destination }, octets) => ({ isConnect, atyp: octets[1], ...destinationJson(destination) }),
    encode: uot.encodeUotRequest,
  }),
  'socks6.request': adapter({
    decode: socks6.decodeSocks6Request,
    toJson: ({ command, destination, options }) => ({
      version: 6,
      command,
      ...destinationJson(destination),
      ...optionsJson(options),
    }),
    encode: socks6.encodeSocks6Request,
    refusal: ({ code }) => (code === 'bad_version' ? socks6.encodeSocks6VersionMismatch() : undefined),
  }),
  'socks6.auth-reply': adapter({
    decode: socks6.decodeSocks6AuthReply,
    toJson: ({ type, options }) => ({ version: 6, type, ...optionsJson(options) }),
    encode: socks6.encodeSocks6AuthReply,
  }),
  'socks6.operation-reply': adapter({
    decode: socks6.decodeSocks6OperationReply,
    toJson: ({ code, bound, options }) => ({ version: 6, code, ...destinationJson(bound), ...optionsJson(options) }),
    encode: socks6.encodeSocks6OperationReply,
  }),
  'socks6.udp-message': adapter({
    decode: octets => decodeSocks6UdpMessage(octets, { transport: 'datagram' }),
    toJson(message, octets) {
      const associationId = toHex(message.associationId)
      const head = { version: 6, type: octets[1], messageLength: uint16At(octets, 2), associationId }
      if (message.type === 'error') return { ...head, bodyHex: toHex(octets.subarray(12)) }
      if (message.type !== 'datagram') return head
      const { address, port } = message.destination
      return { ...head, host: formatAddress(address), port, dataHex: toHex(message.data) }
    },
    encode: encodeSocks6UdpMessage,
    datagram: true,
  }),
  'dns.fake-answer': adapter({
    decode: decodeDnsMessage,
    toJson: ({ id, flags, answers }) => ({ id, flags: flags.toString(16).padStart(4, '0'), qd: 1, an: answers.length }),
    encode: encodeDnsMessage,
    datagram: true,
  }),
})

suite('SOCKS6 UDP messages in a stream', () => {
  for (const vector of vectors.valid.filter(({ message }) => message === 'socks6.udp-message')) {
    test(`${vector.id} is one message in any pieces`, () => {
      const octets = octetsOf(vector.hex)
      const consumed = vector.consumed ?? octets.length
      const expected = decodeSocks6UdpMessage(octets)
      assert.deepEqual(expected.kind === 'whole' && expected.consumed, consumed)
      for (let split = 0; split < consumed; split++) {
        assert.equal(decodeSocks6UdpMessage(octets.slice(0, split)).kind, 'need-more')
      }
      assert.deepEqual(decodeSocks6UdpMessage(concat([octets, Uint8Array.of(6, 1, 0, 12, 0)])), expected)
    })
  }

  test('an error names the datagram, the code and the reporter', () => {
    const vector = vectors.valid.find(({ id }) => id === 's6-udp-error')
    const decoded = decodeSocks6UdpMessage(octetsOf(vector?.hex ?? ''))
    assert.ok(decoded.kind === 'whole' && decoded.value.type === 'error')
    assert.equal(formatDestination(decoded.value.destination), '192.0.2.53:53')
    assert.equal(decoded.value.code, 2)
    assert.equal(formatAddress(decoded.value.reporter), '192.0.2.254')
  })
})

suite('challenge and response', () => {
  const hashes = {
    hmacMd5: (key: Uint8Array, message: Uint8Array) => createHmac('md5', key).update(message).digest(),
    md5: (message: Uint8Array) => createHash('md5').update(message).digest(),
  }
  for (const vector of vectors.challengeResponse) {
    test(vector.id, () => {
      const question = {
        algorithm: Number.parseInt(vector.algorithmId, 16),
        ...(vector.identifier === undefined ? {} : { identifier: vector.identifier }),
        secret: octetsOf(vector.keyHex),
        challenge: octetsOf(vector.challengeHex),
      }
      assert.equal(toHex(encoded(chapResponse(question, hashes))), vector.responseHex)
    })
  }

  test('an unknown algorithm has no response', () => {
    const question = { algorithm: 0x80, secret: new Uint8Array(1), challenge: new Uint8Array(1) }
    assert.equal(chapResponse(question, hashes), undefined)
  })
})

suite('BND', () => {
  for (const { id, bnd, server, use } of vectors.bndSubstitution) {
    test(`${id} leads to ${use}`, () => {
      const serverAddress = parseIp(server)
      assert.ok(serverAddress !== undefined)
      const usable = usableBnd(destinationOf(bnd), serverAddress)
      assert.equal(usable === undefined ? null : formatDestination(usable), use)
    })
  }
})

function destinationOf(text: string): Destination {
  const colon = text.lastIndexOf(':')
  const address = parseIp(text.slice(0, colon).replace(/^\[|\]$/g, ''))
  assert.ok(address !== undefined)
  return { address, port: Number(text.slice(colon + 1)) }
}

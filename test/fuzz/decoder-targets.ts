/** Every decoder of the protocol as a target, with what must hold for any octets. Seeds are the vectors. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import * as protocol from '@socksmith/protocol'
import { type Decoded, type Malformed, type Whole, concat, fromHex, latin1Octets, whole } from '@socksmith/protocol'
import type { Target } from './fuzz.ts'

interface Codec<T> {
  decode(octets: Uint8Array): Decoded<T> | Whole<T> | Malformed
  /** `undefined`: the value has no form on the wire. */
  encode?(value: T): Uint8Array | undefined
  /** A whole datagram: what follows is part of it, and it never needs more. */
  readonly isDatagram?: boolean
  /** Which vectors it begins with; by default those of its name. */
  readonly vectors?: string
}

function codec<T>(parts: Codec<T>): Codec<unknown> {
  return parts
}

const CODECS: Readonly<Record<string, Codec<unknown>>> = {
  'socks4.request': codec({ decode: protocol.decodeSocks4Request, encode: protocol.encodeSocks4Request }),
  'socks4.reply': codec({ decode: protocol.decodeSocks4Reply, encode: protocol.encodeSocks4Reply }),
  'socks5.greeting': codec({ decode: protocol.decodeSocks5Greeting, encode: protocol.encodeSocks5Greeting }),
  'socks5.selection': codec({ decode: protocol.decodeSocks5Selection, encode: protocol.encodeSocks5Selection }),
  'socks5.request': codec({ decode: protocol.decodeSocks5Request, encode: protocol.encodeSocks5Request }),
  'socks5.reply': codec({ decode: protocol.decodeSocks5Reply, encode: protocol.encodeSocks5Reply }),
  'socks5.udp': codec({
    decode: octets => {
      const decoded = protocol.decodeSocks5Datagram(octets, { reassemble: true })
      return decoded.kind === 'whole' ? whole(decoded.value, octets.length) : decoded
    },
    encode: protocol.encodeSocks5Datagram,
    isDatagram: true,
  }),
  'rfc1929.request': codec({
    decode: protocol.decodeUserPasswordRequest,
    encode: protocol.encodeUserPasswordRequest,
  }),
  'rfc1929.reply': codec({ decode: protocol.decodeUserPasswordReply, encode: protocol.encodeUserPasswordReply }),
  'http.connect-request': codec({ decode: protocol.decodeHttpConnectRequest }),
  'http.connect-response': codec({ decode: protocol.decodeHttpResponseHead }),
  'proxy.v1': codec({ decode: protocol.decodeProxyV1, encode: protocol.encodeProxyV1 }),
  'proxy.v2': codec({ decode: protocol.decodeProxyV2, encode: protocol.encodeProxyV2 }),
  'ident.query': codec({ decode: protocol.decodeIdentQuery, encode: protocol.encodeIdentQuery, vectors: 'ident' }),
  'ident.reply': codec({ decode: octets => protocol.decodeIdentReply(octets), vectors: 'ident' }),
  'rfc1961.frame': codec({ decode: protocol.decodeGssapiFrame, encode: protocol.encodeGssapiFrame }),
  chap: codec({ decode: protocol.decodeChapMessage, encode: protocol.encodeChapMessage }),
  maf: codec({ decode: protocol.decodeMafMessage, encode: protocol.encodeMafMessage }),
  eap: codec({ decode: protocol.decodeEapFrame, encode: protocol.encodeEapFrame }),
  ssl: codec({ decode: protocol.decodeSslFrame, encode: protocol.encodeSslFrame }),
  json: codec({
    decode: octets => {
      const decoded = protocol.decodeJsonBlock(octets)
      // Blanks between the words mean nothing, and are not written again.
      return decoded.kind === 'whole' ? whole(decoded.value.parameters, decoded.consumed) : decoded
    },
    encode: protocol.encodeJsonBlock,
  }),
  'socks6.request': codec({ decode: protocol.decodeSocks6Request, encode: protocol.encodeSocks6Request }),
  'socks6.auth-reply': codec({ decode: protocol.decodeSocks6AuthReply, encode: protocol.encodeSocks6AuthReply }),
  'socks6.operation-reply': codec({
    decode: protocol.decodeSocks6OperationReply,
    encode: protocol.encodeSocks6OperationReply,
  }),
  'socks6.udp': codec({ decode: protocol.decodeSocks6UdpMessage, encode: protocol.encodeSocks6UdpMessage }),
  'uot.request': codec({ decode: protocol.decodeUotRequest, encode: protocol.encodeUotRequest, vectors: 'uot' }),
  'uot.packet': codec({ decode: protocol.decodeUotPacket, encode: protocol.encodeUotPacket, vectors: 'uot' }),
  'udp.gost': codec({ decode: protocol.decodeGostUdpFrame, encode: protocol.encodeGostUdpFrame, vectors: 'gost' }),
  'udp.hev': codec({ decode: protocol.decodeHevUdpFrame, encode: protocol.encodeHevUdpFrame, vectors: 'hev' }),
  dns: codec({ decode: protocol.decodeDnsMessage, encode: protocol.encodeDnsMessage, isDatagram: true }),
}

/** Octets of whatever comes behind a message. */
const BEHIND = Uint8Array.of(0x00, 0x05, 0xff, 0x0d, 0x0a)
/** Each prefix of a longer message would be too slow: then only so many of them. */
const PREFIXES_MAX = 64
const WORDS = [
  '\r\n',
  '\r\n\r\n',
  'PROXY TCP4 ',
  'PROXY TCP6 ',
  'UNKNOWN',
  'CONNECT ',
  ' HTTP/1.1',
  'Host: ',
  '::1',
  ':',
]

interface VectorFile {
  readonly valid: readonly { readonly message: string; readonly hex: string }[]
  readonly malformed: readonly { readonly message: string; readonly hex: string }[]
}

const VECTORS = JSON.parse(
  readFileSync(new URL('../../packages/protocol/test/data/vectors.json', import.meta.url), 'utf8'),
) as VectorFile

export const DECODER_TARGETS: readonly Target[] = Object.entries(CODECS).map(([name, one]) => ({
  name,
  seeds: seedsOf(one.vectors ?? name),
  words: WORDS.map(latin1Octets),
  check: input => checkDecoder(one, input),
}))

/** Octets of the vectors whose message has this name, or begins or ends with it; at least one input. */
export function seedsOf(name: string): readonly Uint8Array[] {
  const mine = [...VECTORS.valid, ...VECTORS.malformed].filter(({ message }) => message.includes(name))
  return [new Uint8Array(0), ...mine.flatMap(({ hex }) => fromHex(hex) ?? [])]
}

function checkDecoder(one: Codec<unknown>, input: Uint8Array): void {
  const before = input.slice()
  const answer = one.decode(input)
  assert.deepEqual(input, before, 'it changed its octets')
  if (answer.kind === 'need-more') return assert.notEqual(one.isDatagram, true, 'a datagram needs more')
  if (one.isDatagram !== true) checkPieces(one, input, answer)
  if (answer.kind === 'malformed') return assert.notEqual(answer.failure.blame, 'us')
  assert.ok(answer.consumed >= 0 && answer.consumed <= input.length, `it read ${answer.consumed} of ${input.length}`)
  if (one.encode === undefined) return
  const again = one.encode(answer.value)
  if (again === undefined) return
  const back = one.decode(again)
  assert.ok(back.kind === 'whole', `what it wrote is ${back.kind}`)
  assert.ok(isDeepStrictEqual(back.value, answer.value), 'what it wrote means something else')
  if (one.isDatagram !== true) assert.equal(back.consumed, again.length)
}

/** However the octets come, the answer is the same: no octet behind the message counts, and none is missed. */
function checkPieces(one: Codec<unknown>, input: Uint8Array, answer: Whole<unknown> | Malformed): void {
  const end = answer.kind === 'whole' ? answer.consumed : input.length
  const longer = one.decode(concat([input.subarray(0, end), BEHIND]))
  assert.equal(longer.kind, answer.kind, 'octets behind change the answer')
  if (longer.kind === 'whole' && answer.kind === 'whole') {
    assert.equal(longer.consumed, end)
    assert.ok(isDeepStrictEqual(longer.value, answer.value), 'octets behind change the value')
  }
  const step = Math.max(1, Math.floor(end / PREFIXES_MAX))
  for (let length = 0; length < end; length += step) {
    const { kind } = one.decode(input.slice(0, length))
    // What is malformed may show before its last octet; what is whole is not whole before.
    if (answer.kind === 'whole') assert.equal(kind, 'need-more', `after ${length} of ${end} octets`)
    else assert.notEqual(kind, 'whole', `after ${length} octets`)
  }
}

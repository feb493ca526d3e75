/** Every vector of SOCKS4, SOCKS5, RFC 1929, HTTP CONNECT, the PROXY protocol and the mixed port. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Address,
  type Decoded,
  type Destination,
  type Failure,
  type HttpField,
  METHOD,
  type ProxyV2,
  type Socks5Datagram,
  type Socks5Greeting,
  type UserPasswordRequest,
  SOCKS4_GRANTED,
  codeOfErrno,
  decodeFirstOctet,
  decodeHttpConnectRequest,
  decodeHttpConnectResponse,
  decodeHttpResponseHead,
  decodeProxyV1,
  decodeProxyV2,
  decodeSocks4Reply,
  decodeSocks4Request,
  decodeSocks5Answer,
  decodeSocks5Datagram,
  decodeSocks5Greeting,
  decodeSocks5Reply,
  decodeSocks5Request,
  decodeSocks5Selection,
  decodeUserPasswordReply,
  decodeUserPasswordRequest,
  encodeHttpConnectRequest,
  encodeProxyV1,
  encodeProxyV2,
  encodeSocks4Reply,
  encodeSocks4Request,
  encodeSocks5Datagram,
  encodeSocks5Greeting,
  encodeSocks5Reply,
  encodeSocks5Request,
  encodeSocks5Selection,
  encodeUserPasswordReply,
  encodeUserPasswordRequest,
  failure,
  formatAddress,
  httpErrorResponse,
  latin1Text,
  mappingOf,
  refusalOfSocks4Request,
  refusalOfSocks5Request,
  selectMethod,
  selectionFault,
  socks4Fault,
  toHex,
  userPasswordFault,
  USER_PASSWORD_REJECTED,
  whole,
} from '@socksmith/protocol'
import { type Context, adapter, runVectors, vectors } from '../vectors.ts'

/** What a side makes of a whole message: a fault turns it into a failure. */
function judged<T>(decoded: Decoded<T>, faultOf: (value: T) => Failure | undefined): Decoded<T> {
  const fault = decoded.kind === 'whole' ? faultOf(decoded.value) : undefined
  return fault === undefined ? decoded : { kind: 'malformed', failure: fault }
}

const ATYP = { ipv4: 1, domain: 3, ipv6: 4 } as const
const host = (address: Address): { addrType: string; host: string } => ({
  addrType: address.type,
  host: formatAddress(address),
})
const addressed = ({ address, port }: Destination): object => ({ atyp: ATYP[address.type], ...host(address), port })

// The userid is shown as text only where it is readable.
function userid(octets: Uint8Array): object {
  const text = latin1Text(octets)
  return { useridHex: toHex(octets), ...(/^[ -~]*$/.test(text) && { userid: text }) }
}

const SOCKS4_MEANING: { readonly [code: number]: string } = {
  90: 'granted',
  91: 'rejected',
  92: 'identd_unreachable',
  93: 'identd_mismatch',
}

const supportedOf = (context: Context): readonly number[] => context.supported ?? [METHOD.userPassword, METHOD.none]

function greetingFault(greeting: Socks5Greeting, context: Context): Failure | undefined {
  if (selectMethod(supportedOf(context), greeting.methods) !== undefined) return undefined
  return failure('no_acceptable_methods', 'client')
}

function accountFault(request: UserPasswordRequest, { accounts }: Context): Failure | undefined {
  if (accounts === undefined) return undefined
  const right = Object.entries(accounts).some(
    ([name, password]) => name === latin1Text(request.username) && password === latin1Text(request.password),
  )
  return right ? undefined : failure('auth_rejected', 'client')
}

const TITLE: { readonly [name: string]: string } = { host: 'Host', 'proxy-authorization': 'Proxy-Authorization' }

function proxyV2Json(header: ProxyV2): object {
  const { addresses, tlvs } = header
  const famProto = header.familyAndProtocol.toString(16).padStart(2, '0')
  const ends =
    addresses?.kind === 'ip'
      ? {
          src: formatAddress(addresses.source.address),
          dst: formatAddress(addresses.destination.address),
          srcPort: addresses.source.port,
          dstPort: addresses.destination.port,
        }
      : addresses && { src: addresses.source, dst: addresses.destination }
  return {
    version: 2,
    command: header.command,
    famProto,
    length: header.length,
    addresses: ends ?? null,
    ...(tlvs.length > 0 && { tlvs: tlvs.map(({ type, value }) => ({ type, valueHex: toHex(value) })) }),
  }
}

function decodeDatagram(octets: Uint8Array, context: Context): Decoded<Socks5Datagram> {
  const decoded = decodeSocks5Datagram(octets, { reassemble: context.reassemble === true })
  return decoded.kind === 'whole' ? whole(decoded.value, octets.length) : decoded
}

const strictly = (context: Context): { strict: boolean } => ({ strict: context.strict === true })

const REQUESTS = {
  'socks4.request': adapter({
    decode: (octets, context) =>
      decodeSocks4Request(octets, { commands: context.tor === true ? [1, 2, 0xf0] : [1, 2] }),
    toJson: ({ command, destination, ip, userid: user }) => ({
      version: 4,
      command,
      port: destination.port,
      ip: formatAddress({ type: 'ipv4', octets: ip }),
      ...userid(user),
      ...(destination.address.type === 'domain' ? { host: destination.address.name, form: '4a' } : { form: '4' }),
    }),
    encode: encodeSocks4Request,
    refusal: refusalOfSocks4Request,
  }),
  'socks5.greeting': adapter({
    decode: (octets, context) => judged(decodeSocks5Greeting(octets), value => greetingFault(value, context)),
    toJson: ({ methods }, _octets, context) => ({
      version: 5,
      methods,
      selected: selectMethod(supportedOf(context), methods),
    }),
    encode: encodeSocks5Greeting,
    refusal: cause => (cause.code === 'bad_version' ? undefined : encodeSocks5Selection({ method: 0xff })),
  }),
  'socks5.request': adapter({
    decode: (octets, context) =>
      decodeSocks5Request(octets, {
        ...strictly(context),
        ...(context.commands !== undefined && { commands: context.commands }),
      }),
    toJson: ({ command, reserved, destination }) => ({ version: 5, command, rsv: reserved, ...addressed(destination) }),
    encode: encodeSocks5Request,
    refusal: refusalOfSocks5Request,
  }),
  'rfc1929.request': adapter({
    decode: (octets, context) =>
      judged(decodeUserPasswordRequest(octets, strictly(context)), value => accountFault(value, context)),
    toJson: ({ username, password }) => ({
      version: 1,
      usernameHex: toHex(username),
      passwordHex: toHex(password),
    }),
    encode: encodeUserPasswordRequest,
    refusal: () => USER_PASSWORD_REJECTED,
  }),
  'http.connect-request': adapter({
    decode: decodeHttpConnectRequest,
    toJson: ({ destination, headers }) => ({
      method: 'CONNECT',
      host: formatAddress(destination.address),
      port: destination.port,
      headers,
    }),
    encode: request =>
      encodeHttpConnectRequest({
        ...request,
        headers: request.headers.map(([name, value]): HttpField => [TITLE[name] ?? name, value]),
      }),
    refusal: cause => httpErrorResponse(cause.code === 'header_too_large' ? 431 : 400),
  }),
}

const REPLIES = {
  'socks4.reply': adapter({
    decode: (octets, context) =>
      judged(decodeSocks4Reply(octets, strictly(context)), value =>
        context.decodeOnly === true ? undefined : socks4Fault(value),
      ),
    toJson: ({ version, code, bound }) => ({
      vn: version,
      code,
      meaning: SOCKS4_MEANING[code],
      port: bound.port,
      ip: formatAddress(bound.address),
    }),
    encode: encodeSocks4Reply,
  }),
  'socks5.selection': adapter({
    decode: (octets, context) =>
      judged(decodeSocks5Selection(octets), value =>
        context.offered === undefined ? undefined : selectionFault(value, context.offered),
      ),
    toJson: ({ method }) => ({ version: 5, method }),
    encode: encodeSocks5Selection,
  }),
  'socks5.reply': adapter({
    decode: (octets, context) => (context.decodeOnly === true ? decodeSocks5Reply(octets) : decodeSocks5Answer(octets)),
    toJson: ({ rep, reserved, bound }) => ({ version: 5, rep, rsv: reserved, ...addressed(bound) }),
    encode: encodeSocks5Reply,
  }),
  'rfc1929.reply': adapter({
    decode: (octets, context) =>
      judged(decodeUserPasswordReply(octets, strictly(context)), value =>
        context.decodeOnly === true ? undefined : userPasswordFault(value),
      ),
    toJson: value => value,
    encode: encodeUserPasswordReply,
  }),
  'http.connect-response': adapter({
    decode: (octets, context) =>
      context.decodeOnly === true ? decodeHttpResponseHead(octets) : decodeHttpConnectResponse(octets),
    toJson: ({ status }, octets) => ({ status, tunnelStartsAt: octets.length }),
  }),
}

const OTHERS = {
  'socks5.udp': adapter({
    decode: decodeDatagram,
    toJson: ({ frag, destination, data }) => ({ frag, ...addressed(destination), dataHex: toHex(data) }),
    encode: encodeSocks5Datagram,
    datagram: true,
  }),
  'proxy.v1': adapter({
    decode: decodeProxyV1,
    toJson: header =>
      header.family === 'UNKNOWN'
        ? { version: 1, family: 'UNKNOWN' }
        : {
            version: 1,
            family: header.family,
            src: formatAddress(header.source.address),
            dst: formatAddress(header.destination.address),
            srcPort: header.source.port,
            dstPort: header.destination.port,
          },
    encode: encodeProxyV1,
    // The junk behind UNKNOWN is ignored, so it cannot be written again.
    lenient: ['proxy1-unknown-junk', 'proxy1-max'],
  }),
  'proxy.v2': adapter({
    decode: decodeProxyV2,
    toJson: proxyV2Json,
    encode: encodeProxyV2,
  }),
  'mixed-port.first-octet': adapter({
    decode: decodeFirstOctet,
    toJson: ({ protocol }) => ({ protocol, octetsConsumed: 0 }),
    // It consumes nothing: there are no pieces.
    datagram: true,
  }),
}

const TABLE = { ...REQUESTS, ...REPLIES, ...OTHERS }

runVectors(TABLE)

for (const { error, rep } of vectors.errnoToRep) {
  test(`${error} is told as REP ${rep}`, () => assert.equal(mappingOf(codeOfErrno(error)).rep, rep))
}

test('granted is decimal 90, not hexadecimal', () => assert.equal(SOCKS4_GRANTED, 0x5a))

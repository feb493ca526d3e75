/** The octets of clients and the replies to them, written by hand: the simulation must not trust the code it is to judge. */
import { type Endpoint, formatAddress, latin1Octets } from '@socksmith/protocol'

export type ReplyKind = 'method' | 'login' | 'socks4' | 'socks5' | 'http'

export interface Reply {
  readonly length: number
  readonly isGranted: boolean
  /** CD, REP or HTTP status. */
  readonly code: number
  readonly bound?: Endpoint
}

/** A reply at the start of these octets; `undefined` while some of it is missing, `malformed` when it is none. */
export function readReply(kind: ReplyKind, octets: Uint8Array): Reply | 'malformed' | undefined {
  switch (kind) {
    case 'method':
      return octets.length < 2 ? undefined : short(octets, 5, octets[1] !== 0xff)
    case 'login':
      return octets.length < 2 ? undefined : short(octets, 1, octets[1] === 0)
    case 'socks4':
      if (octets.length < 8) return undefined
      return octets[0] === 0 ? bound(octets, 8, octets[1] === 90, 4, 4, 2) : 'malformed'
    case 'socks5':
      return readSocks5(octets)
    case 'http':
      return readHttp(octets)
  }
}

function short(octets: Uint8Array, version: number, isGranted: boolean): Reply | 'malformed' {
  return octets[0] === version ? { length: 2, isGranted, code: octets[1] as number } : 'malformed'
}

function readSocks5(octets: Uint8Array): Reply | 'malformed' | undefined {
  if (octets.length < 4) return undefined
  const addressLength = octets[3] === 1 ? 4 : octets[3] === 4 ? 16 : undefined
  if (octets[0] !== 5 || octets[2] !== 0 || addressLength === undefined) return 'malformed'
  const length = 6 + addressLength
  return octets.length < length
    ? undefined
    : bound(octets, length, octets[1] === 0, 4, addressLength, 4 + addressLength)
}

function bound(
  octets: Uint8Array,
  length: number,
  isGranted: boolean,
  at: number,
  addressLength: number,
  portAt: number,
): Reply {
  const address = octets.slice(at, at + addressLength)
  const port = ((octets[portAt] as number) << 8) | (octets[portAt + 1] as number)
  return {
    length,
    isGranted,
    code: octets[1] as number,
    bound: { address: { type: addressLength === 4 ? 'ipv4' : 'ipv6', octets: address }, port },
  }
}

function readHttp(octets: Uint8Array): Reply | 'malformed' | undefined {
  const text = Buffer.from(octets).toString('latin1')
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const code = Number(/^HTTP\/1\.1 ([0-9]{3}) /.exec(text)?.[1])
  if (Number.isNaN(code)) return 'malformed'
  const body = Number(/\r\nContent-Length: ([0-9]+)\r\n/i.exec(text)?.[1] ?? 0)
  const length = end + 4 + body
  return octets.length < length ? undefined : { length, isGranted: code === 200, code }
}

const VERSION_4 = 4
const VERSION_5 = 5

export function socks4Request(command: number, to: Endpoint, name: string | undefined): Uint8Array {
  const address = name === undefined ? to.address.octets : [0, 0, 0, 1]
  const tail = name === undefined ? [] : [...latin1Octets(name), 0]
  return Uint8Array.from([VERSION_4, command, ...port(to), ...address, ...latin1Octets('me'), 0, ...tail])
}

export function socks5Greeting(methods: readonly number[]): Uint8Array {
  return Uint8Array.from([VERSION_5, methods.length, ...methods])
}

export function login(user: string, password: string): Uint8Array {
  return Uint8Array.from([1, user.length, ...latin1Octets(user), password.length, ...latin1Octets(password)])
}

export function socks5Request(command: number, to: Endpoint, name: string | undefined): Uint8Array {
  return Uint8Array.from([VERSION_5, command, 0, ...socks5Address(to, name)])
}

export function socks5Datagram(to: Endpoint, name: string | undefined, data: Uint8Array): Uint8Array {
  return Uint8Array.from([0, 0, 0, ...socks5Address(to, name), ...data])
}

export function httpConnect(to: Endpoint, name: string | undefined, credentials: string | undefined): Uint8Array {
  const text = formatAddress(to.address)
  const host = name ?? (to.address.type === 'ipv6' ? `[${text}]` : text)
  const field = credentials === undefined ? '' : `Proxy-Authorization: Basic ${btoa(credentials)}\r\n`
  return latin1Octets(`CONNECT ${host}:${to.port} HTTP/1.1\r\nHost: ${host}:${to.port}\r\n${field}\r\n`)
}

export function proxyHeader(source: Endpoint, destination: Endpoint): Uint8Array {
  const [from, to] = [formatAddress(source.address), formatAddress(destination.address)]
  return latin1Octets(`PROXY TCP4 ${from} ${to} ${source.port} ${destination.port}\r\n`)
}

function socks5Address(to: Endpoint, name: string | undefined): number[] {
  if (name !== undefined) return [3, name.length, ...latin1Octets(name), ...port(to)]
  return [to.address.type === 'ipv4' ? 1 : 4, ...to.address.octets, ...port(to)]
}

function port(to: Endpoint): [number, number] {
  return [to.port >> 8, to.port & 0xff]
}

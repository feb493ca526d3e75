/** Addresses for the rogue: as text, as octets, in replies, and which of them lie inside. */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Fault } from './faults.ts'
import type { Rogue } from './terms.ts'

export type Place =
  | { readonly kind: 'ip'; readonly octets: Buffer; readonly port: number }
  | { readonly kind: 'name'; readonly octets: Buffer; readonly port: number }

export interface Endpoint {
  readonly host: string
  readonly port: number
}

export function hostText(octets: Buffer): string {
  if (octets.length === 4) return octets.join('.')
  const groups = Array.from({ length: 8 }, (_, index) => octets.readUInt16BE(index * 2).toString(16))
  return groups.join(':')
}

/** `0:0:..:1` as the system writes it: `::1`. */
export function plain(host: string): string {
  return host.includes(':') ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host
}

export function hostOctets(host: string): Buffer {
  const text = plain(host)
  if (!text.includes(':')) return Buffer.from(text.split('.').map(Number))
  const [head = '', tail] = text.split('::')
  const left = groupsOf(head)
  const right = tail === undefined ? [] : groupsOf(tail)
  const all = [...left, ...new Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return Buffer.from(all.map(group => group.padStart(4, '0')).join(''), 'hex')
}

function groupsOf(part: string): string[] {
  return part === '' ? [] : part.split(':')
}

export function portOctets(port: number): Buffer {
  return Buffer.from([port >> 8, port & 0xff])
}

/** A success, with BND written as the peculiarities have it. */
export function successOctets(rogue: Rogue, { host, port }: Endpoint): Buffer {
  const name = Buffer.from('localhost')
  if (rogue.has('bnd-is-localhost')) {
    return Buffer.concat([Buffer.from([5, 0, 0, 3, name.length]), name, portOctets(port)])
  }
  if (rogue.has('bnd-is-inner')) return encodeReply(0, { host: '10.0.0.5', port })
  return encodeReply(0, { host: rogue.has('bnd-is-mapped') && isIP(host) === 4 ? mapped(host) : host, port })
}

/** 127.0.0.1 as 0:0:0:0:0:ffff:7f00:1. */
function mapped(host: string): string {
  const octets = hostOctets(host)
  return `0:0:0:0:0:ffff:${octets.readUInt16BE(0).toString(16)}:${octets.readUInt16BE(2).toString(16)}`
}

/** 05 REP 00 ATYP BND.ADDR BND.PORT. */
export function encodeReply(rep: number, { host, port }: Endpoint): Buffer {
  const address = hostOctets(host)
  return Buffer.concat([Buffer.from([5, rep, 0, address.length === 4 ? 1 : 4]), address, portOctets(port)])
}

export function failureOctets(rep: number): Buffer {
  return encodeReply(rep, { host: '0.0.0.0', port: 0 })
}

/** The addresses to try, or the REP of the refusal; `silent` for the faults that never answer. */
export async function resolve(rogue: Rogue, place: Place): Promise<readonly string[] | number> {
  if (rogue.has('blocks-on-names')) {
    if (place.kind === 'name' && place.octets.toString().endsWith('.invalid'))
      rogue.shared.names = new Promise(() => {})
    await rogue.shared.names
  }
  if (place.kind === 'ip') return resolveIp(rogue, place.octets)
  if (rogue.has('no-names')) return 8
  const { octets } = place
  if (octets.length === 0) return rogue.has('empty-name-is-here') ? ['127.0.0.1'] : 1
  let name = octets.toString('latin1')
  if (name.includes('\0') && rogue.has('name-stops-at-nul-in-requests')) name = name.split('\0')[0] as string
  if (rogue.has('cleans-names')) name = name.replace(/[^a-z.]/g, '')
  if (isIP(name) !== 0) return rogue.has('no-literal-names') ? 4 : resolveIp(rogue, hostOctets(name))
  if (!/^[\w.-]+$/.test(name)) return 1
  return resolveName(rogue, name)
}

async function resolveName(rogue: Rogue, name: string): Promise<readonly string[] | number> {
  const { options } = rogue
  const notFound = rogue.has('no-name-is-01') ? 1 : 4
  if (rogue.has('names-by-case') && name !== name.toLowerCase()) return notFound
  const lower = name.toLowerCase().replace(/\.$/, '')
  const isNumber = /^[0-9a-fx.]+$/.test(lower)
  if (options.isInsideClosed === true) {
    if (lower === 'localhost') return rogue.has('inside-by-name') ? 5 : 2
    if (isNumber) return rogue.has('inside-by-spelling') ? 5 : 2
  }
  if (lower !== 'localhost') return notFound
  const found = await lookup(lower, { all: true })
  return found.map(({ address }) => address)
}

function resolveIp(rogue: Rogue, octets: Buffer): readonly string[] | number {
  const host = hostText(octets)
  const isMapped = octets.length === 16 && octets.subarray(0, 12).toString('hex') === '00000000000000000000ffff'
  if (isMapped && rogue.has('no-mapped')) return 8
  if (rogue.options.isInsideClosed === true) {
    const opening = insideFault(octets, isMapped)
    if (opening !== undefined) return rogue.has(opening) ? 5 : 2
  }
  if (octets.every(octet => octet === 0)) return rogue.has('zero-is-loopback') ? ['127.0.0.1'] : 2
  return isMapped ? [octets.subarray(12).join('.')] : [host]
}

/** An address of loopback that is outside to whoever closes the inside: the targets of those cases. */
export const OUTSIDE = '127.0.0.9'

/** The fault that opens an inside address; `undefined` for addresses outside. */
function insideFault(octets: Buffer, isMapped: boolean): Fault | undefined {
  const text = plain(hostText(octets))
  if (text === OUTSIDE) return undefined
  if (isMapped) return 'inside-mapped'
  if (text === '0.0.0.0' || text === '::') return 'inside-zero'
  if (text === '::1') return 'inside-ipv6'
  if (text.startsWith('127.')) return 'inside-loopback'
  if (text.startsWith('169.254.')) return 'inside-metadata'
  if (/^(10|172|192)\./.test(text)) return 'inside-private'
  return /^(64:ff9b|2002):/.test(text) ? 'inside-translated' : undefined
}

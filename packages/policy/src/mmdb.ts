/**
 * Reads MaxMind DB files (format 2.0) from their octets: a binary tree over addresses, and records behind it. Reads only
 * what it is asked for, and answers nothing about an address when the file is damaged there. Knows no file system.
 */
import { type IpAddress, latin1Octets } from '@socksmith/protocol'

const MARKER = Uint8Array.of(0xab, 0xcd, 0xef, ...latin1Octets('MaxMind.com'))
/** The metadata is within this from the end (format, "database metadata"). */
const METADATA_OCTETS_MAX = 131_072
/** Between the tree and the data stand sixteen zero octets. */
const SEPARATOR_OCTETS = 16
/** Pointers and maps within each other: deeper is damage, or an attack. */
const DEPTH_MAX = 32
/** Entries of one map or list. */
const ENTRIES_MAX = 10_000

export interface Mmdb {
  /** The record of an address, such as `{ country: { iso_code: 'DE' } }`; `undefined` when there is none. */
  lookup(address: IpAddress): unknown
}

/** Opens a database; `undefined` when the octets are none. They must not change afterwards. */
export function openMmdb(octets: Uint8Array): Mmdb | undefined {
  const marker = lastIndexOf(octets, MARKER, octets.length - METADATA_OCTETS_MAX)
  if (marker === -1) return undefined
  const start = marker + MARKER.length
  const metadata = new DataReader(octets, start).read(start)?.value
  const [nodes, bits, family] = ['node_count', 'record_size', 'ip_version'].map(key => fieldOf(metadata, key))
  if (typeof nodes !== 'number' || typeof bits !== 'number' || ![24, 28, 32].includes(bits)) return undefined
  if (family !== 4 && family !== 6) return undefined
  const treeOctets = (nodes * bits) / 4
  if (treeOctets + SEPARATOR_OCTETS > marker) return undefined
  return new Database(octets, { nodes, bits, family, treeOctets })
}

/** The field of a map. */
export function fieldOf(map: unknown, key: string): unknown {
  return typeof map === 'object' && map !== null && Object.hasOwn(map, key)
    ? (map as { readonly [key: string]: unknown })[key]
    : undefined
}

interface Shape {
  readonly nodes: number
  readonly bits: number
  readonly family: 4 | 6
  readonly treeOctets: number
}

class Database implements Mmdb {
  readonly #octets: Uint8Array
  readonly #shape: Shape
  readonly #data: DataReader
  /** Where the IPv4 addresses begin in a tree of IPv6. */
  readonly #ipv4Root: number

  constructor(octets: Uint8Array, shape: Shape) {
    this.#octets = octets
    this.#shape = shape
    this.#data = new DataReader(octets, shape.treeOctets + SEPARATOR_OCTETS)
    let root = 0
    for (let depth = 0; shape.family === 6 && depth < 96 && root < shape.nodes; depth++) root = this.#child(root, 0)
    this.#ipv4Root = root
  }

  lookup({ type, octets }: IpAddress): unknown {
    const { nodes, family, treeOctets } = this.#shape
    if (type === 'ipv6' && family === 4) return undefined
    let node = type === 'ipv4' ? this.#ipv4Root : 0
    for (let bit = 0; bit < octets.length * 8 && node < nodes; bit++) {
      node = this.#child(node, ((octets[bit >> 3] as number) >> (7 - (bit & 7))) & 1)
    }
    return node <= nodes ? undefined : this.#data.read(treeOctets + node - nodes)?.value
  }

  #child(node: number, side: number): number {
    const at = (index: number): number => this.#octets[index] as number
    const { bits } = this.#shape
    const start = (node * bits) / 4
    if (bits === 28) {
      const middle = at(start + 3)
      const top = side === 0 ? middle >> 4 : middle & 0x0f
      const low = start + (side === 0 ? 0 : 4)
      return top * 0x1_000_000 + ((at(low) << 16) | (at(low + 1) << 8) | at(low + 2))
    }
    const low = start + (side * bits) / 8
    const three = (at(low) << 16) | (at(low + 1) << 8) | at(low + 2)
    return bits === 24 ? three : three * 256 + at(low + 3)
  }
}

interface Read {
  readonly value: unknown
  readonly next: number
}

/** The data section: values with their type and size in front. `base` is what pointers count from. */
class DataReader {
  readonly #octets: Uint8Array
  readonly #base: number

  constructor(octets: Uint8Array, base: number) {
    this.#octets = octets
    this.#base = base
  }

  /** The value at an offset; `undefined` when the file is damaged there. */
  read(at: number, depth = 0): Read | undefined {
    const control = this.#octets[at]
    if (control === undefined || depth > DEPTH_MAX) return undefined
    if (control >> 5 === TYPE.pointer) return this.#readPointer(control, at + 1, depth)
    const isExtended = control >> 5 === 0
    const type = isExtended ? 7 + this.#number(at + 1, 1) : control >> 5
    const { size, start } = this.#sizeOf(control & 0x1f, at + (isExtended ? 2 : 1))
    if (type === TYPE.map || type === TYPE.list) return this.#readEntries(type, size, start, depth)
    if (type === TYPE.boolean) return { value: size !== 0, next: start }
    const next = start + size
    if (next > this.#octets.length) return undefined
    return { value: this.#scalar(type, start, size), next }
  }

  #readPointer(control: number, at: number, depth: number): Read | undefined {
    const octets = ((control >> 3) & 0x03) + 1
    const high = octets === 4 ? 0 : (control & 0x07) * 256 ** octets
    const target = high + this.#number(at, octets) + (POINTER_STARTS[octets - 1] as number)
    const read = this.read(this.#base + target, depth + 1)
    return read && { value: read.value, next: at + octets }
  }

  #readEntries(type: number, count: number, start: number, depth: number): Read | undefined {
    if (count > ENTRIES_MAX) return undefined
    const entries: [string, unknown][] = []
    let at = start
    for (let i = 0; i < count; i++) {
      const key: Read | undefined = type === TYPE.map ? this.read(at, depth + 1) : { value: i, next: at }
      const value = key && this.read(key.next, depth + 1)
      if (key === undefined || value === undefined) return undefined
      entries.push([String(key.value), value.value])
      at = value.next
    }
    return { value: type === TYPE.map ? Object.fromEntries(entries) : entries.map(([, one]) => one), next: at }
  }

  #sizeOf(short: number, at: number): { readonly size: number; readonly start: number } {
    const more = Math.max(0, short - 28)
    return { size: more === 0 ? short : (SIZE_STARTS[more - 1] as number) + this.#number(at, more), start: at + more }
  }

  #scalar(type: number, start: number, size: number): unknown {
    if (type === TYPE.text)
      return String.fromCodePoint(...this.#octets.subarray(start, Math.min(start + size, start + 64)))
    // Numbers that rules look at have at most four octets.
    return UNSIGNED.has(type) && size <= 4 ? this.#number(start, size) : undefined
  }

  #number(at: number, octets: number): number {
    let value = 0
    for (let i = 0; i < octets; i++) value = value * 256 + (this.#octets[at + i] ?? 0)
    return value
  }
}

const TYPE = { pointer: 1, text: 2, map: 7, list: 11, boolean: 14 } as const
/** uint16, uint32, uint64. */
const UNSIGNED: ReadonlySet<number> = new Set([5, 6, 9])
const POINTER_STARTS = [0, 2_048, 526_336, 0]
const SIZE_STARTS = [29, 285, 65_821]

function lastIndexOf(octets: Uint8Array, wanted: Uint8Array, least: number): number {
  for (let at = octets.length - wanted.length; at >= Math.max(0, least); at--) {
    if (wanted.every((octet, index) => octets[at + index] === octet)) return at
  }
  return -1
}

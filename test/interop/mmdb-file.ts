/** Writes a MaxMind DB (format 2.0) for a handful of IPv4 networks. Shares no code with what reads it. */
const RECORD_BITS = 24
/** Between the tree and the data. */
const SEPARATOR = new Array<number>(16).fill(0)

/** What is known about a network, such as `127.1.0.0/16`. */
export interface Registered {
  readonly network: string
  readonly country: string
  readonly asn: number
}

/** The octets of the database. */
export function mmdbOf(entries: readonly Registered[]): Uint8Array {
  const nodes: [Branch, Branch][] = [[undefined, undefined]]
  const data: number[] = []
  for (const { network, country, asn } of entries) {
    const leaf = { at: data.length }
    data.push(...map({ country: map({ iso_code: text(country) }), autonomous_system_number: number(asn) }))
    insert(nodes, bitsOf(network), leaf)
  }
  const tree = nodes.flatMap(branches => branches.flatMap(branch => record(branch, nodes.length)))
  const metadata = map({ node_count: number(nodes.length), record_size: number(RECORD_BITS), ip_version: number(4) })
  const marker = [0xab, 0xcd, 0xef, ...Buffer.from('MaxMind.com')]
  return Uint8Array.from([...tree, ...SEPARATOR, ...data, ...marker, ...metadata])
}

/** The number of a node, the place of a record, or nothing. */
type Branch = number | { readonly at: number } | undefined

function insert(nodes: [Branch, Branch][], bits: readonly (0 | 1)[], leaf: { readonly at: number }): void {
  let at = 0
  for (const [index, bit] of bits.entries()) {
    const node = nodes[at] as [Branch, Branch]
    if (index === bits.length - 1) node[bit] = leaf
    else {
      const next = node[bit]
      at = typeof next === 'number' ? next : nodes.push([undefined, undefined]) - 1
      node[bit] = at
    }
  }
}

function record(branch: Branch, nodeCount: number): readonly number[] {
  const value =
    branch === undefined ? nodeCount : typeof branch === 'number' ? branch : nodeCount + SEPARATOR.length + branch.at
  return [value >> 16, (value >> 8) & 0xff, value & 0xff]
}

function bitsOf(network: string): readonly (0 | 1)[] {
  const [address = '', length = '32'] = network.split('/')
  const bits = address.split('.').flatMap(part => Array.from(Number(part).toString(2).padStart(8, '0')))
  return bits.slice(0, Number(length)).map(bit => (bit === '1' ? 1 : 0))
}

// Control octets: type in the upper three bits (2 text, 6 a number of up to 32 bits, 7 a map), size in the lower five.
const text = (value: string): number[] => [0x40 | value.length, ...Buffer.from(value)]
const number = (value: number): number[] => [0xc4, 0, value >> 16, (value >> 8) & 0xff, value & 0xff]
const map = (entries: Readonly<Record<string, number[]>>): number[] => [
  0xe0 | Object.keys(entries).length,
  ...Object.entries(entries).flatMap(([key, value]) => [...text(key), ...value]),
]

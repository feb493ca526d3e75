/** Which of a way's addresses to leave by: in turn, by chance within a prefix, or always the same for one key. Opens nothing. */
import { createHash, randomBytes } from 'node:crypto'
import type { Network } from '@socksmith/policy'
import type { IpAddress } from '@socksmith/protocol'
import type { SourceOptions } from './way.ts'

/** The source addresses of one way. */
export class Sources {
  readonly #ipv4: readonly Network[]
  readonly #ipv6: readonly Network[]
  readonly #sticky: string | undefined
  #turn = 0

  constructor({ from, sticky }: SourceOptions) {
    this.#ipv4 = from.filter(({ address }) => address.type === 'ipv4')
    this.#ipv6 = from.filter(({ address }) => address.type === 'ipv6')
    this.#sticky = sticky
  }

  /** Whether who asks decides. */
  get isSticky(): boolean {
    return this.#sticky !== undefined
  }

  /** Whether there is more than single addresses: none of the others needs to be one of this machine. */
  get hasPrefix(): boolean {
    return [...this.#ipv4, ...this.#ipv6].some(({ address, bits }) => bits < address.octets.length * 8)
  }

  /** Whether there is an address of this family. */
  has(family: IpAddress['type']): boolean {
    return this.#of(family).length > 0
  }

  /** An address of this family for whoever has these traits; `undefined` when there is none. */
  pick(family: IpAddress['type'], traits: Readonly<Record<string, string>>): IpAddress | undefined {
    const key = this.#sticky === undefined ? undefined : traits[this.#sticky]
    if (key !== undefined) return stickyAddress(this.#of(family), key)
    const networks = this.#of(family)
    const network = networks[this.#turn++ % networks.length]
    return network && filled(network, randomBytes(network.address.octets.length))
  }

  #of(family: IpAddress['type']): readonly Network[] {
    return family === 'ipv4' ? this.#ipv4 : this.#ipv6
  }
}

// Of several, the one with the highest hash: when one is added or taken away, only those who had it move.
function stickyAddress(networks: readonly Network[], key: string): IpAddress | undefined {
  const scored = networks.map(network => ({ network, hash: hashOf(key, network) }))
  const best = scored.reduce<(typeof scored)[number] | undefined>(
    (most, one) => (most !== undefined && most.hash.compare(one.hash) >= 0 ? most : one),
    undefined,
  )
  return best && filled(best.network, best.hash)
}

function hashOf(key: string, { address, bits }: Network): Buffer {
  return createHash('sha256').update(`${key}\0${bits}\0`).update(address.octets).digest()
}

/** The network's address with these octets behind its prefix. */
function filled({ address, bits }: Network, random: Uint8Array): IpAddress {
  const octets = new Uint8Array(address.octets)
  for (const [index, octet] of octets.entries()) {
    const kept = Math.min(8, Math.max(0, bits - index * 8))
    octets[index] = octet | ((random[index] ?? 0) & (0xff >> kept))
  }
  return { type: address.type, octets }
}

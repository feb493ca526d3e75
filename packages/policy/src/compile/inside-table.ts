/** Which addresses are closed to clients from elsewhere, and who is not from elsewhere; searched, not walked. */
import type { IpAddress } from '@socksmith/protocol'
import type { Facts } from '../facts.ts'
import { INSIDE, LOOPBACK, type Network } from '../network.ts'
import { AddressTable } from './fact-table.ts'
import { RowStore } from './row-store.ts'
import type { NetworkTest } from '../policy.ts'

/** What of the inside is open, and to whom. */
export interface InsideOptions {
  /** Clients here may reach inside addresses. Default: loopback; Unix sockets always. */
  readonly from?: readonly Network[]
  /** Inside networks that everybody may reach. Default: none. */
  readonly open?: readonly Network[]
}

export class InsideTable {
  readonly #isClosed: (address: IpAddress) => boolean
  /** Whether the inside is open to this client. */
  readonly isNear: (client: Facts['client']) => boolean

  constructor({ from = LOOPBACK, open = [] }: InsideOptions) {
    const isInside = memberOf(INSIDE)
    const isOpen = memberOf(open)
    const isNear = memberOf(from)
    this.#isClosed = address => isInside(address) && !isOpen(address)
    this.isNear = client => client === 'unix' || isNear(client)
  }

  /** Whether this form of an address is closed to this client, unless a rule names it. */
  isClosedTo(client: Facts['client'], form: IpAddress): boolean {
    return this.#isClosed(form) && !this.isNear(client)
  }
}

function memberOf(networks: readonly Network[]): (address: IpAddress) => boolean {
  if (networks.length === 0) return () => false
  const store = new RowStore([0], 1)
  const test: NetworkTest = { kind: 'address', networks, unix: false, inside: false, text: '' }
  const table = new AddressTable([{ test, term: 0, isPositive: true }], store)
  return address => table.at(address) === store.every
}

/** A layer of the search: one table, and the fact that it is asked about. */
import { type IpAddress, unmapped } from '@socksmith/protocol'
import { type Facts, type Geo, plainName } from '../facts.ts'
import type { HostTest, NetworkTest, PortTest, Test, WhenTest, WordTest } from '../policy.ts'
import { AddressTable, NameTable, type Placed, PortTable, WhenTable, WordTable } from './fact-table.ts'
import type { Row, RowStore } from './row-store.ts'

/** In place of a row: the fact is not known yet. */
export const UNKNOWN = -1

export interface Layer {
  /** The terms that the fact leaves possible, or {@link UNKNOWN}. `form` is the address as rules see it. */
  readonly lookup: (facts: Facts, form: IpAddress | undefined) => Row
  /** The terms that ask nothing of this fact. */
  readonly free: Row
}

/** The layer of tests of one kind, at most one for each term. */
export function layerOf(kind: Test['kind'], placed: readonly Placed<Test>[], store: RowStore, geo: Geo): Layer {
  switch (kind) {
    case 'client': {
      const table = new AddressTable(placed as readonly Placed<NetworkTest>[], store)
      return {
        free: table.free,
        lookup: ({ client }) => table.at(client === 'unix' || client.type === 'ipv4' ? client : unmapped(client)),
      }
    }
    case 'address': {
      const table = new AddressTable(placed as readonly Placed<NetworkTest>[], store)
      return { free: table.free, lookup: (_facts, form) => (form === undefined ? UNKNOWN : table.at(form)) }
    }
    case 'host': {
      const table = new NameTable(placed as readonly Placed<HostTest>[], store)
      return {
        free: table.free,
        lookup: ({ host }) => (host === undefined ? UNKNOWN : table.at(host === null ? null : plainName(host))),
      }
    }
    case 'port': {
      const table = new PortTable(placed as readonly Placed<PortTest>[], store)
      return { free: table.free, lookup: ({ port }) => (port === undefined ? UNKNOWN : table.at(port)) }
    }
    case 'when': {
      const table = new WhenTable(placed as readonly Placed<WhenTest>[], store)
      return { free: table.free, lookup: ({ nowMs }) => table.at(nowMs) }
    }
    default:
      return wordLayer(kind, new WordTable(placed as readonly Placed<WordTest>[], store), geo)
  }
}

function wordLayer(kind: WordTest['kind'], table: WordTable, geo: Geo): Layer {
  if (kind === 'country' || kind === 'asn') {
    return {
      free: table.free,
      lookup: (_facts, form) => (form === undefined ? UNKNOWN : table.at(geo(form)[kind] ?? null)),
    }
  }
  return {
    free: table.free,
    lookup: facts => {
      const word = facts[kind]
      return word === undefined ? UNKNOWN : table.at(word)
    },
  }
}

/**
 * Counts what is limited, for one server or for several that share a limit (one in each worker thread). Knows no limit and
 * no connection.
 */
import { type IpAddress, latin1Text, unmapped } from '@socksmith/protocol'

/** What is counted for all clients together; `descriptors` are those that they have besides their own connections. */
export const COUNTED = ['connections', 'pendingDials', 'udpAssociations', 'descriptors'] as const
export type Counted = (typeof COUNTED)[number]

/** Where the counts are. Whoever takes gives back, once. */
export interface Tally {
  /** Counts one more, unless `most` are counted already: then false. */
  take(counted: Counted, most: number): boolean
  giveBack(counted: Counted): void
  /** How many are counted now. */
  count(counted: Counted): number
  /** The same for the connections of one client; `undefined` stands for all that have no address. */
  takeClient(client: IpAddress | undefined, most: number): boolean
  giveBackClient(client: IpAddress | undefined): void
  /** 1, 2, 3 and so on: the number of a session. */
  nextId(): number
}

/** Unix sockets have no address: they are counted together. */
const NO_ADDRESS = 'none'

/** The counts of one server. */
export function createTally(): Tally {
  const counts: { [C in Counted]: number } = { connections: 0, pendingDials: 0, udpAssociations: 0, descriptors: 0 }
  const perClient = new Map<string, number>()
  let lastId = 0
  return {
    take(counted, most) {
      if (counts[counted] >= most) return false
      counts[counted]++
      return true
    },
    giveBack(counted) {
      counts[counted]--
    },
    count: counted => counts[counted],
    takeClient(client, most) {
      const key = keyOf(client)
      const count = perClient.get(key) ?? 0
      if (count >= most) return false
      perClient.set(key, count + 1)
      return true
    },
    giveBackClient(client) {
      const key = keyOf(client)
      const left = (perClient.get(key) ?? 1) - 1
      if (left === 0) perClient.delete(key)
      else perClient.set(key, left)
    },
    nextId: () => ++lastId,
  }
}

function keyOf(client: IpAddress | undefined): string {
  return client === undefined ? NO_ADDRESS : latin1Text(unmapped(client).octets)
}

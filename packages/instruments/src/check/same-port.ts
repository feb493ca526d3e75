/** Opens listeners at several addresses on one port. Knows nothing of what they serve. */
import type { IpAddress } from '@socksmith/protocol'

export interface Closable {
  close(then: () => void): unknown
}

/** Resolves when all are closed. */
export async function closeAll(opened: readonly Closable[]): Promise<void> {
  await Promise.all(opened.map(one => new Promise<void>(resolve => one.close(resolve))))
}

// Below the ports that systems give to outgoing connections: nobody must sit on one when a replay wants it again.
const PORT_FIRST = 15_000
const PORT_LAST = 32_000
/** Tries to find a port that is free at every address. */
const PORT_TRIES = 50

/** Opens the same port at every address, since a name such as localhost may lead to either family. */
export async function openEverywhere<T extends Closable>(
  addresses: readonly IpAddress[],
  wanted: number | undefined,
  open: (address: IpAddress, port: number) => Promise<T>,
): Promise<{ readonly opened: readonly T[]; readonly port: number }> {
  for (let tries = 1; ; tries++) {
    const port = wanted ?? PORT_FIRST + Math.floor(Math.random() * (PORT_LAST - PORT_FIRST))
    const opened: T[] = []
    try {
      for (const address of addresses) opened.push(await open(address, port))
      return { opened, port }
    } catch (error) {
      await closeAll(opened)
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
      if (!isTaken || wanted !== undefined || tries === PORT_TRIES) throw error
    }
  }
}

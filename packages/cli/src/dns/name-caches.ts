/** The memories of all resolvers of one server, to be seen and emptied. Plain data comes out, for other threads. */
import type { CachingResolver } from '@socksmith/engine'
import { formatAddress } from '@socksmith/protocol'

/** A name that one resolver remembers. */
export interface CachedName {
  /** The way whose resolver it is; `default` is everybody's without its own. */
  readonly way: string
  readonly name: string
  readonly addresses: readonly string[]
  /** Why there is none. */
  readonly failure?: string
  /** Seconds for which it is still kept. */
  readonly leftSeconds: number
}

/** A server, in whatever threads, whose resolvers can be looked into. */
export interface NameKeeper {
  names(): Promise<readonly CachedName[]> | readonly CachedName[]
  /** Forgets a name, or all; how many entries that were. */
  flushNames(name?: string): Promise<number> | number
}

export class NameCaches {
  readonly #caches = new Map<string, CachingResolver>()

  /** The resolver of this way, from now on. */
  set(way: string, resolver: CachingResolver): void {
    this.#caches.set(way, resolver)
  }

  forget(way: string): void {
    this.#caches.delete(way)
  }

  list(): readonly CachedName[] {
    return [...this.#caches].flatMap(([way, cache]) =>
      cache.kept().map(({ name, resolution, leftMs }) => ({
        way,
        name,
        addresses: 'code' in resolution ? [] : resolution.map(formatAddress),
        ...('code' in resolution && { failure: resolution.code }),
        leftSeconds: Math.ceil(leftMs / 1_000),
      })),
    )
  }

  /** Forgets a name, or all; how many entries that were. */
  flush(name?: string): number {
    return [...this.#caches.values()].reduce((sum, cache) => sum + cache.flush(name), 0)
  }
}

/** What the functions of this library run on: the portable engine, and a resolver that asks as the machine does. */
import { type Engine, type Resolver, createCachingResolver, createNodeEngine, systemLookup } from '@socksmith/engine'

/** Long enough for the connections of one page or one job; short enough that nobody wonders. */
const POSITIVE_TTL_MS = 5_000
/** Names are kept for so many targets. */
const ENTRIES_MAX = 1_000
/** Below the four threads of libuv, which files need too. */
const CONCURRENT_MAX = 3
/** The phase has its own limit; this one only bounds what nobody waits for any more. */
const LOOKUP_TIMEOUT_MS = 30_000

/** What a connection is made with. */
export interface Context {
  readonly engine: Engine
  readonly resolver: Resolver
}

let made: Context | undefined

/** The one of this process; made at its first use. */
export function defaultContext(): Context {
  if (made === undefined) {
    const engine = createNodeEngine()
    const resolver = createCachingResolver({
      lookup: systemLookup,
      clock: engine.clock,
      positiveTtlMs: POSITIVE_TTL_MS,
      // A name that was not found may exist the next moment; the system has its own memory for that.
      negativeTtlMs: 0,
      entriesMax: ENTRIES_MAX,
      concurrentMax: CONCURRENT_MAX,
      timeoutMs: LOOKUP_TIMEOUT_MS,
    })
    made = { engine, resolver }
  }
  return made
}

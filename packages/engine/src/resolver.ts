/**
 * Names to addresses, with a cache and limits around whatever look-up is handed in. Answers each question once for all
 * who ask at the same time. Knows no operating system and judges no address.
 */
import { domainToASCII } from 'node:url'
import { checkNameText, failure, parseIp } from '@socksmith/protocol'
import type { Failure, IpAddress } from '@socksmith/protocol'
import type { Clock } from './ports.ts'

/** The addresses of a name, at least one; or why there is none. */
export type Resolution = readonly IpAddress[] | Failure

/** Addresses together with the time for which the name server lets them be kept. */
export interface TimedAddresses {
  readonly addresses: readonly IpAddress[]
  /** Milliseconds. */
  readonly ttlMs: number
}

/** Asks once. The name is in ASCII (IDNA) form and is no address. Must settle some day; late is the caller's affair. */
export type Lookup = (name: string) => Promise<Resolution | TimedAddresses>

export interface Resolver {
  /** The addresses of `name`, which may be an address itself, or in Unicode. */
  resolve(name: string): Promise<Resolution>
}

/** A name in the memory of a resolver. */
export interface KeptName {
  readonly name: string
  readonly resolution: Resolution
  /** Milliseconds for which it is still kept. */
  readonly leftMs: number
}

/** A resolver whose memory can be seen and emptied. */
export interface CachingResolver extends Resolver {
  kept(): readonly KeptName[]
  /** Forgets this name, or all of them; how many that were. */
  flush(name?: string): number
}

export interface CachingResolverOptions {
  readonly lookup: Lookup
  readonly clock: Clock
  /** Milliseconds that addresses are kept, or less where a look-up says so. */
  readonly positiveTtlMs: number
  /** Milliseconds that a failure is kept; short, because the cause may have gone. */
  readonly negativeTtlMs: number
  /** Names that are kept; the one asked for longest ago goes first. */
  readonly entriesMax: number
  /** Look-ups at the same time; the others wait. */
  readonly concurrentMax: number
  /** Milliseconds that one who asks waits, the queue included, until `timed_out`. */
  readonly timeoutMs: number
}

/** Look-ups that wait for their turn. More means that names come faster than answers: `too_busy` says so at once. */
export const LOOKUPS_WAITING_MAX = 1024
/** Addresses of one name that are kept. Nobody waits for more than a few of them to fail. */
export const ADDRESSES_MAX = 32

/** Makes a resolver with a bounded cache. */
export function createCachingResolver(options: CachingResolverOptions): CachingResolver {
  return new NameMemory(options)
}

interface Kept {
  readonly resolution: Resolution
  readonly untilMs: number
}

/** Until when somebody waits for the answer: whoever asks for the same name moves it on. */
interface Wish {
  untilMs: number
}

interface Waiting {
  readonly name: string
  readonly wish: Wish
  /** With its turn, or with false when nobody waits any more. */
  readonly go: (isTurn: boolean) => void
}

class NameMemory implements CachingResolver {
  readonly #options: CachingResolverOptions
  /** In the order of the last question. */
  readonly #kept = new Map<string, Kept>()
  readonly #asked = new Map<string, { readonly wish: Wish; readonly answer: Promise<Resolution> }>()
  #waiting: Waiting[] = []
  /** Before this all of them are wanted: a storm of questions must not look through the queue each time. */
  #unwantedFromMs = 0
  #running = 0

  constructor(options: CachingResolverOptions) {
    this.#options = options
  }

  async resolve(name: string): Promise<Resolution> {
    const literal = parseIp(name)
    if (literal) return [literal]
    const ascii = asciiName(name)
    if (ascii === undefined) return failure('name_not_found', 'client', 'not a host name')
    return this.#fromCache(ascii) ?? this.#inTime(this.#shared(ascii))
  }

  kept(): readonly KeptName[] {
    const nowMs = this.#options.clock.monotonicMs()
    return [...this.#kept]
      .map(([name, { resolution, untilMs }]) => ({ name, resolution, leftMs: untilMs - nowMs }))
      .filter(({ leftMs }) => leftMs > 0)
  }

  flush(name?: string): number {
    const ascii = name === undefined ? undefined : asciiName(name)
    const keys = name === undefined ? [...this.#kept.keys()] : ascii === undefined ? [] : [ascii]
    // What is being asked for now is answered, and not kept.
    for (const key of name === undefined ? [...this.#asked.keys()] : keys) this.#asked.delete(key)
    return keys.filter(key => this.#kept.delete(key)).length
  }

  #fromCache(name: string): Resolution | undefined {
    const kept = this.#kept.get(name)
    if (kept === undefined) return undefined
    this.#kept.delete(name)
    if (kept.untilMs <= this.#options.clock.monotonicMs()) return undefined
    this.#kept.set(name, kept)
    return kept.resolution
  }

  #shared(name: string): Promise<Resolution> {
    const { clock, timeoutMs } = this.#options
    const untilMs = clock.monotonicMs() + timeoutMs
    const asked = this.#asked.get(name)
    if (asked) {
      asked.wish.untilMs = untilMs
      return asked.answer
    }
    if (this.#waiting.length >= LOOKUPS_WAITING_MAX) this.#forgetUnwanted()
    if (this.#waiting.length >= LOOKUPS_WAITING_MAX) {
      return Promise.resolve(failure('too_busy', 'us', 'too many names are being resolved'))
    }
    const wish: Wish = { untilMs }
    const answer = this.#ask(name, wish).finally(() => this.#done(name, wish))
    this.#asked.set(name, { wish, answer })
    return answer
  }

  #done(name: string, wish: Wish): void {
    if (this.#asked.get(name)?.wish === wish) this.#asked.delete(name)
  }

  async #ask(name: string, wish: Wish): Promise<Resolution> {
    const { lookup, concurrentMax } = this.#options
    if (this.#running < concurrentMax) this.#running++
    else if (!(await new Promise<boolean>(go => this.#waiting.push({ name, wish, go })))) return tooLate()
    try {
      const found = await lookup(name)
      const isTimed = 'ttlMs' in found
      const resolution = plain(isTimed ? found.addresses : found)
      // A flush meanwhile means that it is not to be kept.
      if (this.#asked.get(name)?.wish === wish) this.#keep(name, resolution, isTimed ? found.ttlMs : Infinity)
      return resolution
    } finally {
      // The turn goes to the next in the queue. It was kept until the end, not until the time-out: a look-up that
      // nobody waits for any more still occupies what the limit protects.
      if (!this.#passTurn()) this.#running--
    }
  }

  #passTurn(): boolean {
    for (;;) {
      const next = this.#waiting.shift()
      if (next === undefined) return false
      if (this.#isWanted(next)) {
        next.go(true)
        return true
      }
      this.#forget(next)
    }
  }

  /** Behind a storm of names that nobody answered, the queue is for those who still wait. */
  #forgetUnwanted(): void {
    if (this.#options.clock.monotonicMs() < this.#unwantedFromMs) return
    const wanted = this.#waiting.filter(one => this.#isWanted(one))
    const unwanted = this.#waiting.filter(one => !this.#isWanted(one))
    this.#waiting = wanted
    this.#unwantedFromMs = Math.min(...wanted.map(({ wish }) => wish.untilMs))
    for (const one of unwanted) this.#forget(one)
  }

  #isWanted({ wish }: Waiting): boolean {
    return this.#options.clock.monotonicMs() < wish.untilMs
  }

  #forget({ name, wish, go }: Waiting): void {
    this.#done(name, wish)
    go(false)
  }

  #keep(name: string, resolution: Resolution, mostMs: number): void {
    const { clock, positiveTtlMs, negativeTtlMs, entriesMax } = this.#options
    const ttlMs = Math.min(mostMs, 'code' in resolution ? negativeTtlMs : positiveTtlMs)
    if (ttlMs <= 0) return
    this.#kept.delete(name)
    this.#kept.set(name, { resolution, untilMs: clock.monotonicMs() + ttlMs })
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= entriesMax) break
      this.#kept.delete(oldest)
    }
  }

  #inTime(resolution: Promise<Resolution>): Promise<Resolution> {
    const { clock, timeoutMs } = this.#options
    const late = Promise.withResolvers<Resolution>()
    const timer = clock.after(timeoutMs, () => late.resolve(tooLate()))
    return Promise.race([resolution, late.promise]).finally(() => timer.cancel())
  }
}

/**
 * The name in the form that goes on the wire (RFC 5891), lower case; `undefined` for what is no host name. The URL
 * standard and getaddrinfo both read `127.1` or `0x7f000001` as an address: such a text is neither name nor address here.
 */
function asciiName(name: string): string | undefined {
  if (!checkNameText(name).ok) return undefined
  const ascii = domainToASCII(name)
  return ascii === '' || parseIp(ascii) || !checkNameText(ascii).ok ? undefined : ascii
}

function tooLate(): Failure {
  return failure('name_timed_out', 'target', 'no answer to the name')
}

function plain(resolution: Resolution): Resolution {
  if ('code' in resolution) return resolution
  if (resolution.length === 0) return failure('name_not_found', 'target', 'the name has no address')
  return resolution.slice(0, ADDRESSES_MAX)
}

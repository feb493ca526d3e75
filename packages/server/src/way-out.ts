/**
 * By which way a request leaves: the one that the rule names which allows it, for whoever asks. Holds what the ways of a
 * server have learnt; dials nothing.
 */
import { type AppliedRoute, type Traits, appliedRoute, resolvesNames } from '@socksmith/client/route'
import type { Engine, Place, Resolver } from '@socksmith/engine'
import { BLOCK_WAY, DEFAULT_WAY, DIRECT_WAY, type Decision, routeOf, wayBlocked } from '@socksmith/policy'
import { type Destination, type Failure, type IpAddress, NO_ENDPOINT, failure } from '@socksmith/protocol'
import type { CheckedWay } from './health.ts'
import { type Leaving, leavingBy, noSource } from './leaving.ts'
import type { ServerOptions } from './options.ts'
import { Sources } from './source.ts'
import type { FamilyPreference, Way, Ways } from './way.ts'

/** A way, for one request. */
export interface WayOut {
  readonly name: string
  /** The proxies to go through; absent: straight to the target. */
  readonly route?: Exclude<AppliedRoute, { kind: 'direct' | 'block' }>
  /** Who turns the name of a target into addresses. */
  readonly resolve: 'here' | 'there'
  /** Leaves as the way says. */
  readonly engine: Engine
  /** For the names of targets. */
  readonly resolver: Resolver
  readonly knows?: (name: string) => boolean
  /** Of whoever asks. */
  readonly traits: Traits
  readonly family?: FamilyPreference
  /** Families that the way has no address for. */
  readonly lacks: readonly IpAddress['type'][]
}

/** Which way one request goes. */
export interface Going {
  /** The way of a decision; of one that is still open, the default. */
  by(decision: Decision | undefined): WayOut | Failure
}

/** What ways are told of a request beside the decision. */
export interface Errand {
  /** Of whoever asks: `user`, `client`, and the parameters of the credentials. Most ways are the same for everybody. */
  readonly traits: () => Traits
  readonly destination?: Destination
  /** For rules of the route. */
  readonly scheme?: string
}

interface Known {
  readonly way: Way
  readonly sources: Sources | undefined
  /** Where it is the same for everybody. */
  engine?: Engine
  resolver?: Resolver
}

export interface WayChooserOptions {
  readonly engine: Engine
  readonly resolver: Resolver
  /** Why this place must not be connected to. */
  readonly refusalOf: (place: Place) => Failure | undefined
}

export class WayChooser {
  readonly #options: WayChooserOptions
  readonly #server: Pick<ServerOptions, 'route' | 'outgoing'>
  #ways: Map<string, Known>
  /** Ways that are the same for everybody. */
  readonly #made = new Map<string, WayOut>()

  constructor(server: Pick<ServerOptions, 'route' | 'outgoing' | 'ways'>, options: WayChooserOptions) {
    this.#server = server
    this.#options = options
    this.#ways = knownWays(server)
  }

  /** From now on these are the ways; one that is the same object goes on as it was. */
  replace(ways: Ways): void {
    const before = this.#ways
    this.#ways = knownWays({ ...this.#server, ways })
    for (const [name, way] of ways) {
      const known = before.get(name)
      if (known?.way === way) this.#ways.set(name, known)
    }
    this.#made.clear()
  }

  /** Why a request that this decision allows has no way out. */
  refusalOf(decision: Decision): Failure | undefined {
    const name = routeOf(decision)
    const known = this.#ways.get(name)
    if (known !== undefined && known.way.route?.kind !== 'block') return undefined
    if (known !== undefined || name === BLOCK_WAY) return wayBlocked(name)
    // Never direct by accident.
    return failure('not_allowed', 'policy', `there is no way out ${name}`)
  }

  /** Those whose proxies are to be asked whether they work. */
  checked(): readonly CheckedWay[] {
    return [...this.#ways].flatMap(([name, known]) =>
      known.way.check === undefined ? [] : [{ name, way: known.way, engine: this.#engineFor(name, known, {}) }],
    )
  }

  going(errand: Errand): Going {
    return { by: decision => this.#out(decision === undefined ? DEFAULT_WAY : routeOf(decision), errand) }
  }

  #out(name: string, errand: Errand): WayOut | Failure {
    const made = this.#made.get(name)
    if (made !== undefined) return made
    const known = this.#ways.get(name)
    if (known === undefined) return failure('not_allowed', 'policy', `there is no way out ${name}`)
    return this.#make(name, known, errand)
  }

  #make(name: string, known: Known, errand: Errand): WayOut | Failure {
    const { destination = NO_ENDPOINT, scheme } = errand
    const traits = errand.traits()
    const { way, sources } = known
    const { family, knows, names } = way
    const question = { destination, ...(scheme !== undefined && { scheme }) }
    const route = way.route === undefined ? undefined : appliedRoute(way.route, question)
    if (route?.kind === 'block') return wayBlocked(name)
    const proxies = route?.kind === 'direct' ? undefined : route
    const lacks = FAMILIES.filter(one => !isBuiltIn(name) && sources?.has(one) === false)
    const out: WayOut = {
      name,
      ...(proxies && { route: proxies }),
      resolve: proxies === undefined ? 'here' : whoResolves(proxies, names),
      engine: this.#engineFor(name, known, traits),
      resolver: this.#resolverFor(name, known),
      ...(knows && { knows }),
      traits,
      ...(family && { family }),
      lacks,
    }
    const isForAll = sources?.isSticky !== true && (way.route === undefined || way.route.kind === 'direct')
    if (isForAll) this.#made.set(name, { ...out, traits: {} })
    return out
  }

  #resolverFor(name: string, known: Known): Resolver {
    const { resolver } = this.#options
    const { route } = known.way
    known.resolver ??=
      known.way.resolver?.({ engine: this.#engineFor(name, known, {}), resolver, ...(route && { route }) }) ?? resolver
    return known.resolver
  }

  #engineFor(name: string, known: Known, traits: Traits): Engine {
    const { way, sources } = known
    const { engine, refusalOf } = this.#options
    if (known.engine !== undefined) return known.engine
    const isPlain = way.interface === undefined && way.mark === undefined && sources === undefined
    // Targets have been judged before they are dialled; only a proxy can turn out to be ourselves.
    if (isPlain && way.route === undefined) return engine
    const leaving: Leaving = {
      options: {
        ...(way.interface !== undefined && { interface: way.interface }),
        ...(way.mark !== undefined && { mark: way.mark }),
        ...(sources?.hasPrefix === true && { freeBind: true }),
      },
      ...(sources && {
        sourceFor: ({ type }) => sources.pick(type, traits) ?? (isBuiltIn(name) ? undefined : noSource(name, type)),
      }),
      refusalOf,
    }
    const made = leavingBy(engine, leaving)
    if (sources?.isSticky !== true) known.engine = made
    return made
  }
}

// What is there without being defined leaves a family without an address to the kernel.
function isBuiltIn(name: string): boolean {
  return name === DEFAULT_WAY || name === DIRECT_WAY
}

const FAMILIES: readonly IpAddress['type'][] = ['ipv4', 'ipv6']

/** Proxies as records name them. */
export function viaText(proxies: readonly string[]): string {
  return proxies.join(' > ')
}

/** What a record says of the way: its name, unless nobody gave it one, and the proxies that it led through. */
export function viaOf({ name }: WayOut, proxies: readonly string[] = []): string | undefined {
  const through = viaText(proxies)
  if (name === DEFAULT_WAY) return through === '' ? undefined : through
  if (name === DIRECT_WAY) return undefined
  return through === '' ? name : `${name}: ${through}`
}

/** Whether the last proxy of the way is told this name as it is. */
export function leavesName({ resolve, knows }: WayOut, name: string): boolean {
  return resolve === 'there' && knows?.(name) !== true
}

/** Why the way cannot lead to an address of this family. */
export function familyFault({ name, family, lacks }: WayOut, { type }: IpAddress): Failure | undefined {
  if (lacks.includes(type)) return noSource(name, type)
  if (family === undefined || !family.endsWith('-only') || family.startsWith(type)) return undefined
  return failure(
    'network_unreachable',
    'policy',
    `the way ${name} leads by ${family.startsWith('ipv4') ? 'IPv4' : 'IPv6'} only`,
  )
}

/** The family to try first; `undefined` leaves it to whoever tries. */
export function firstFamily({ family }: WayOut): IpAddress['type'] | undefined {
  if (family === undefined) return undefined
  return family.startsWith('ipv4') ? 'ipv4' : 'ipv6'
}

function whoResolves(route: AppliedRoute, names: Way['names']): 'here' | 'there' {
  if (names === undefined) return resolvesNames(route)
  return names === 'proxy' ? 'there' : 'here'
}

function knownWays({
  route,
  outgoing = {},
  ways = new Map(),
}: Pick<ServerOptions, 'route' | 'outgoing' | 'ways'>): Map<string, Known> {
  const from = Object.values(outgoing).map(address => ({ address, bits: address.octets.length * 8 }))
  const straight: Way = from.length > 0 ? { source: { from } } : {}
  const built = {
    [DIRECT_WAY]: { ...straight, ...ways.get(DIRECT_WAY) },
    [DEFAULT_WAY]: { ...straight, ...(route && { route }), ...ways.get(DEFAULT_WAY) },
  }
  const all = new Map<string, Way>([...ways, ...Object.entries(built)])
  return new Map([...all].map(([name, way]): [string, Known] => [name, remembering(way)]))
}

function remembering(way: Way): Known {
  return { way, sources: way.source && new Sources(way.source) }
}

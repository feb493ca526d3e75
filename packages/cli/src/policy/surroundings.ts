/**
 * What of a configuration decides, beside the rules, who gets what: to be compared with that of another one. Knows not how
 * it is compared.
 */
import {
  DEFAULT_WAY,
  DIRECT_WAY,
  type Decision,
  type Policy,
  type Surroundings,
  limitConditionText,
  routeOf,
} from '@socksmith/policy'
import type { WayConfig, WaysConfig } from '../config/config.ts'
import { isUrl, wayMap } from '../ways/way-route.ts'
import { wayDescription } from '../ways/way-text.ts'
import type { OpenPolicy } from './open-policy.ts'

/** Both, so that a policy of its own stands in what the other one stands in: there it is to take its place. */
export function standingAlike(old: OpenPolicy, young: OpenPolicy): readonly [was: OpenPolicy, is: OpenPolicy] {
  if (old.config === undefined) return [{ ...young, policy: old.policy }, young]
  return [old, young.config === undefined ? { ...old, policy: young.policy } : young]
}

/** Whether a rule or a limit asks where an address is registered, and that is looked up in other files than before. */
export function hasOtherGeo(old: OpenPolicy, young: OpenPolicy): boolean {
  return [old, young].some(({ policy }) => asksPlace(policy)) && !isSameGeo(old, young)
}

function asksPlace({ rules, limits }: Policy): boolean {
  const texts = [...rules.map(({ text }) => text), ...limits.flatMap(({ of }) => (of ? limitConditionText(of) : []))]
  return texts.some(text => /\b(country|asn) /.test(text))
}

function isSameGeo(old: OpenPolicy, young: OpenPolicy): boolean {
  return (
    old.geo.length === young.geo.length &&
    old.geo.every((file, index) => Buffer.compare(file, young.geo[index] ?? Buffer.of()) === 0)
  )
}

/** By what a decision lets go out. */
export function wayOf(decision: Decision, { ways, usual }: OpenPolicy): string {
  return wayDescription(routeOf(decision), ways, usual)
}

/** What an opened policy stands in. */
export function surroundingsOf({ options, setting, config }: OpenPolicy): Surroundings {
  if (config === undefined) return options
  const { via, outgoing, ways } = config
  const named = Object.keys(ways).map((name): [string, string] => [name, meaningOf(name, ways)])
  const usual = via.length + outgoing.length === 0 ? DIRECT_WAY : JSON.stringify({ via, outgoing })
  return { ...options, setting, ways: new Map([[DEFAULT_WAY, usual], ...named]) }
}

/** A text that is the same for ways that lead alike, whatever they are called. It may hold passwords. */
function meaningOf(name: string, ways: WaysConfig): string {
  const way = wayMap(ways[name] ?? {})
  return Object.keys(way).length === 0 ? DIRECT_WAY : JSON.stringify(withMeanings(way, ways))
}

/** The same way, with what its links are in the place of their names. */
function withMeanings({ chain, pool, ...rest }: WayConfig, ways: WaysConfig): object {
  const linkOf = (text: string): unknown => (isUrl(text) ? text : linkMeaning(text, ways))
  return {
    ...rest,
    ...(chain && { chain: chain.map(linkOf) }),
    ...(pool && {
      pool: pool.map(member =>
        typeof member === 'string' ? linkOf(member) : { to: linkOf(member.to), weight: member.weight },
      ),
    }),
  }
}

/** Of a way that is a link of another one, only its proxies count. */
function linkMeaning(name: string, ways: WaysConfig): object {
  const { chain, pool, strategy, sticky, 'back-off': first, 'back-off-max': longest } = wayMap(ways[name] ?? {})
  return withMeanings(
    {
      ...(chain && { chain }),
      ...(pool && { pool, ...(strategy && { strategy }), ...(sticky !== undefined && { sticky }) }),
      ...(first !== undefined && { 'back-off': first }),
      ...(longest !== undefined && { 'back-off-max': longest }),
    },
    ways,
  )
}

/**
 * What a server refuses by itself, whatever its rules say: commands that are switched off, itself and nowhere as targets, ways
 * that are blocked. Said of its setting alone, so that an explanation needs no server. Knows no condition and no socket.
 */
import {
  type Endpoint,
  type Failure,
  type IpAddress,
  failure,
  isUnspecified,
  sameAddress,
  unmapped,
} from '@socksmith/protocol'
import { type Decision, routeOf } from './decision.ts'
import { type Command, FOLLOWING, type Facts, isReached } from './facts.ts'
import { LOOPBACK, containsAny } from './network.ts'
import { BLOCK_WAY } from './policy.ts'

/** Addresses of one host. */
export interface LocalAddresses {
  has(address: IpAddress): boolean
}

/** How the server is set up around its rules. What is not said refuses nothing. */
export interface ServerSetting {
  /** Ways that lead nowhere, beside `block`. */
  readonly blockedWays?: readonly string[]
  /** Where it listens. */
  readonly listeners?: readonly Endpoint[]
  /** Those of its host. Default: loopback. */
  readonly local?: LocalAddresses
  /** What is switched off. */
  readonly commandsOff?: readonly Command[]
  /** Whether a BIND may wait for anybody. */
  readonly anyPeer?: boolean
}

export const UNSPECIFIED_TARGET: Failure = failure('not_allowed', 'policy', 'this is the unspecified address')
export const OWN_LISTENER: Failure = failure('not_allowed', 'policy', "this is one of the server's own listeners")
export const ANY_PEER_OFF: Failure = failure('not_allowed', 'policy', 'BIND for any peer is switched off')

const LOOPBACK_ONLY: LocalAddresses = { has: address => containsAny(LOOPBACK, address) }

/** What becomes of a request about which the rules say this. */
export function asServed(decision: Decision, facts: Facts, setting: ServerSetting): Decision {
  const closed = commandFault(facts, setting) ?? targetFault(facts, setting)
  if (closed !== undefined) return { verdict: 'deny', cause: 'server', reported: [], refusal: closed }
  if (decision.verdict !== 'allow' || !isReached(facts)) return decision
  const { rule, reported } = decision
  const refusal = wayFault(routeOf(decision), setting) ?? redirectFault(decision, facts, setting)
  return refusal === undefined
    ? decision
    : { verdict: 'deny', cause: 'server', reported, refusal, ...(rule && { rule }) }
}

/** What the rules are asked: the unspecified address as the peer of a BIND stands for any, which none of them can name. */
export function factsForRules(facts: Facts): Facts {
  return isForAnyPeer(facts) ? { ...facts, host: undefined, address: undefined, port: undefined } : facts
}

/** Why nothing leaves by this way. */
export function wayBlocked(name: string): Failure {
  return failure('not_allowed', 'policy', `the way ${name} is blocked`)
}

/** Whether whoever connects to `to` comes to `own`, where the server listens on a host with these addresses. */
export function isOwnEndpoint(own: Endpoint, to: Endpoint, local: LocalAddresses): boolean {
  if (own.port !== to.port) return false
  const [here, there] = [unmapped(own.address), unmapped(to.address)]
  if (isUnspecified(here)) return isUnspecified(there) || local.has(there)
  // Whoever connects to 0.0.0.0 or :: comes to the loopback interface.
  return sameAddress(here, there) || (isUnspecified(there) && containsAny(LOOPBACK, here))
}

function commandFault({ command }: Facts, { commandsOff = [] }: ServerSetting): Failure | undefined {
  if (command === undefined || !commandsOff.includes(command)) return undefined
  return failure('command_not_supported', 'client', `the command ${HEARD_BY.get(command) ?? command} is switched off`)
}

/** Who is heard, by the request that waits for them. */
const HEARD_BY: ReadonlyMap<Command, Command> = new Map(
  (['bind', 'udp-associate'] as const).map(request => [FOLLOWING[request], request]),
)

function targetFault(facts: Facts, setting: ServerSetting): Failure | undefined {
  if (isForAnyPeer(facts)) return setting.anyPeer === false ? ANY_PEER_OFF : undefined
  const { address, port = 0 } = facts
  return address === undefined || !isReached(facts) ? undefined : endpointFault({ address, port }, setting)
}

function endpointFault(to: Endpoint, { listeners = [], local = LOOPBACK_ONLY }: ServerSetting): Failure | undefined {
  // Linux takes 0.0.0.0 and :: for this host.
  if (isUnspecified(unmapped(to.address))) return UNSPECIFIED_TARGET
  return listeners.some(own => isOwnEndpoint(own, to, local)) ? OWN_LISTENER : undefined
}

function wayFault(way: string, { blockedWays = [] }: ServerSetting): Failure | undefined {
  return way === BLOCK_WAY || blockedWays.includes(way) ? wayBlocked(way) : undefined
}

function redirectFault(
  { rule }: Decision & { readonly verdict: 'allow' },
  facts: Facts,
  setting: ServerSetting,
): Failure | undefined {
  const { address, port = facts.port ?? 0 } = rule?.redirect ?? {}
  if (address === undefined || address.type === 'domain') return undefined
  return endpointFault({ address, port }, setting)
}

function isForAnyPeer({ command, address }: Facts): boolean {
  return command === 'bind' && address !== undefined && isUnspecified(unmapped(address))
}

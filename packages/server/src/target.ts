/**
 * From the target that a client named to the addresses that may be used: rules on the name, resolve once, rules on each
 * address, and hand on exactly those. A name that changes between two look-ups gains nothing. Dials nothing.
 */
import { domainToASCII } from 'node:url'
import { type Decision, type Facts, type Redirect, routeOf } from '@socksmith/policy'
import {
  type Address,
  type Destination,
  type Endpoint,
  type Failure,
  type IpAddress,
  failure,
  plainAddress,
} from '@socksmith/protocol'
import type { ServerContext } from './context.ts'
import type { Ruling } from './decide.ts'
import type { Granted } from './session-rules.ts'
import type { WayOut } from './way-out.ts'

/** A destination that may be used, with the question that was answered by it. */
export interface Candidate<D extends Destination = Endpoint> extends Granted {
  readonly to: D
}

/** A refusal with the ruling that made it; other failures have none. */
export interface Refused {
  readonly failure: Failure
  readonly ruling?: Ruling
}

/** What may be used, at least one; or why there is nothing. */
export type Candidates<D extends Destination = Endpoint> = readonly Candidate<D>[] | Refused

/**
 * As {@link allowedEndpoints}, but a name stays one where the way's last proxy resolves it and the rules are certain about
 * it already. Where they have to see the address it is resolved here, and that address is asked for.
 */
export function allowedTargets(
  context: ServerContext,
  asking: Facts,
  destination: Destination,
  way: WayOut | undefined,
): Candidates<Destination> | Promise<Candidates<Destination>> {
  const address = askedAddress(destination.address)
  if (way?.resolve !== 'there' || address?.type !== 'domain') return allowedEndpoints(context, asking, destination)
  const facts: Facts = { ...asking, host: address.name, port: destination.port }
  const ruling = context.gate.ask(facts)
  const { refusal, decision } = ruling
  if (refusal !== undefined) return { failure: refusal, ruling }
  if (!context.gate.isCertain(facts, decision)) return allowedEndpoints(context, asking, destination)
  const redirect = redirectOf(decision)
  const to = redirect === undefined ? address : redirect.address
  const port = redirect?.port ?? destination.port
  const closed = to.type === 'domain' ? undefined : context.gate.refusalOf({ address: to, port })
  return closed === undefined ? [{ to: { address: to, port }, facts, decision }] : { failure: closed }
}

/** What may be used for `destination` by whom `asking` describes; at once where nothing has to be resolved. */
export function allowedEndpoints(
  context: ServerContext,
  asking: Facts,
  destination: Destination,
): Candidates | Promise<Candidates> {
  const address = askedAddress(destination.address)
  if (address === undefined) return { failure: failure('bad_target', 'client', 'the name cannot stand in DNS') }
  const { port } = destination
  if (address.type !== 'domain') return judged(context, { ...asking, host: null, port }, [address])
  const facts: Facts = { ...asking, host: address.name, port }
  const ruling = context.gate.ask(facts)
  if (ruling.refusal !== undefined) return { failure: ruling.refusal, ruling }
  const redirect = redirectOf(ruling.decision)
  // The rules are certain about the name already: what it resolves to does not matter.
  if (redirect !== undefined) return redirected(context, facts, ruling.decision, redirect)
  return context.resolver
    .resolve(address.name)
    .then(resolution => ('code' in resolution ? { failure: resolution } : judged(context, facts, resolution)))
}

/** The rules on each address; `facts` know everything else. */
function judged(
  context: ServerContext,
  facts: Facts,
  addresses: readonly IpAddress[],
): Candidates | Promise<Candidates> {
  const { port = 0 } = facts
  const candidates: Candidate[] = []
  let refused: Ruling | undefined
  for (const address of addresses) {
    const question = { ...facts, address }
    const { refusal, decision } = context.gate.ask(question)
    if (refusal === undefined) candidates.push({ to: { address, port }, facts: question, decision })
    else refused = { refusal, decision }
  }
  const [first] = candidates
  if (first === undefined) {
    return refused?.refusal === undefined ? [] : { failure: refused.refusal, ruling: refused }
  }
  const redirect = redirectOf(first.decision)
  if (redirect !== undefined) return redirected(context, first.facts, first.decision, redirect)
  if (candidates.length === 1) return candidates
  // One target goes one way: addresses that are to go another way, or elsewhere, are left out.
  return candidates.filter(one => redirectOf(one.decision) === undefined && wayOf(one) === wayOf(first))
}

/**
 * The address that rules and the resolver are asked about, which must be the same. A system's resolver takes names that
 * are not ASCII for others (IDNA): those must not pass by rules on the names that they become.
 */
export function askedAddress(given: Address): Address | undefined {
  const address = plainAddress(given)
  if (address.type !== 'domain' || /^[\x20-\x7e]*$/.test(address.name)) return address
  const name = domainToASCII(address.name)
  return name === '' ? undefined : plainAddress({ type: 'domain', name })
}

async function redirected(
  context: ServerContext,
  facts: Facts,
  decision: Decision | undefined,
  { address, port = facts.port ?? 0 }: Redirect,
): Promise<Candidates> {
  const resolution = await addressesOf(context, address)
  if ('code' in resolution) return { failure: resolution }
  const candidates: Candidate[] = []
  let refusal: Failure | undefined
  for (const one of resolution) {
    const to = { address: one, port }
    const closed = context.gate.refusalOf(to)
    if (closed === undefined) candidates.push({ to, facts, decision })
    else refusal = closed
  }
  return candidates.length === 0 && refusal !== undefined ? { failure: refusal } : candidates
}

async function addressesOf(context: ServerContext, address: Address): Promise<readonly IpAddress[] | Failure> {
  return address.type === 'domain' ? context.resolver.resolve(address.name) : [address]
}

function redirectOf(decision: Decision | undefined): Redirect | undefined {
  return decision?.verdict === 'allow' ? decision.rule?.redirect : undefined
}

function wayOf({ decision }: Candidate): string {
  return decision === undefined ? 'direct' : routeOf(decision)
}

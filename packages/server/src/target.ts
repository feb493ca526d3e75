/**
 * From the target that a client named to the addresses that may be used: rules on the name, resolve once, rules on each
 * address, and hand on exactly those. A name that changes between two look-ups gains nothing. Dials nothing.
 */
import { domainToASCII } from 'node:url'
import { DEFAULT_WAY, type Decision, type Facts, type Redirect, routeOf } from '@socksmith/policy'
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
import { type Going, type WayOut, familyFault, firstFamily, leavesName } from './way-out.ts'

/** A destination that may be used, with the question that was answered by it. */
export interface Candidate<D extends Destination = Endpoint> extends Granted {
  readonly to: D
}

/** A refusal with the ruling that made it; other failures have none. */
export interface Refused {
  readonly failure: Failure
  readonly ruling?: Ruling
}

/** What may be used, at least one, and by which way. */
export interface Allowed<D extends Destination = Endpoint> {
  readonly candidates: readonly Candidate<D>[]
  readonly way: WayOut
}

/** What may be used; or why there is nothing. */
export type Judged<D extends Destination = Endpoint> = Allowed<D> | Refused

/**
 * What may be used for `destination` by whom `asking` describes; at once where nothing has to be resolved. A name stays one
 * where the way's last proxy resolves it and the rules are certain about it already; where they have to see the address it
 * is resolved here, and that address is asked for.
 */
export function allowedTargets(
  context: ServerContext,
  asking: Facts,
  destination: Destination,
  going: Going,
): Judged<Destination> | Promise<Judged<Destination>> {
  const address = askedAddress(destination.address)
  if (address === undefined) return { failure: failure('bad_target', 'client', 'the name cannot stand in DNS') }
  const { port } = destination
  if (address.type !== 'domain') return judged(context, { ...asking, host: null, port }, [address], going)
  const facts: Facts = { ...asking, host: address.name, port }
  const ruling = context.gate.ask(facts)
  const { refusal, decision } = ruling
  if (refusal !== undefined) return { failure: refusal, ruling }
  const way = going.by(decision)
  if ('code' in way) return { failure: way, ruling }
  const redirect = redirectOf(decision)
  const to = redirect?.address ?? address
  if (to.type === 'domain' && leavesName(way, to.name) && context.gate.isCertain(facts, decision)) {
    return { candidates: [{ to: { address: to, port: redirect?.port ?? port }, facts, decision }], way }
  }
  // The rules are certain about the name already: what it resolves to does not matter.
  if (redirect !== undefined) return redirected(context, facts, decision, redirect, way)
  return way.resolver
    .resolve(address.name)
    .then(resolution => ('code' in resolution ? { failure: resolution } : judged(context, facts, resolution, going)))
}

/** The rules on each address; `facts` know everything else. */
function judged(
  context: ServerContext,
  facts: Facts,
  addresses: readonly IpAddress[],
  going: Going,
): Judged | Promise<Judged> {
  const { port = 0 } = facts
  const candidates: Candidate[] = []
  let refused: Refused = { failure: failure('name_not_found', 'target', 'the name has no address') }
  let way: WayOut | undefined
  for (const address of addresses) {
    const question = { ...facts, address }
    const ruling = context.gate.ask(question)
    const { refusal, decision } = ruling
    // One target goes one way: addresses that are to go another way, or elsewhere, are left out.
    if (refusal === undefined && way !== undefined && wayName(decision) !== way.name) continue
    const by = refusal ?? way ?? going.by(decision)
    if ('code' in by) {
      refused = { failure: by, ruling }
      continue
    }
    const fault = familyFault(by, address)
    if (fault === undefined) {
      way = by
      candidates.push({ to: { address, port }, facts: question, decision })
    } else refused = { failure: fault, ruling }
  }
  const [first] = candidates
  if (first === undefined || way === undefined) return refused
  const redirect = redirectOf(first.decision)
  if (redirect !== undefined) return redirected(context, first.facts, first.decision, redirect, way)
  if (candidates.length === 1) return { candidates, way }
  return {
    candidates: inOrder(
      candidates.filter(one => redirectOf(one.decision) === undefined),
      way,
    ),
    way,
  }
}

// The family that the way prefers first; the resolver's order otherwise.
function inOrder(candidates: readonly Candidate[], way: WayOut): readonly Candidate[] {
  const first = firstFamily(way)
  if (first === undefined) return candidates
  const isFirst = ({ to }: Candidate): boolean => to.address.type === first
  return [...candidates.filter(isFirst), ...candidates.filter(one => !isFirst(one))]
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
  way: WayOut,
): Promise<Judged> {
  const resolution = address.type === 'domain' ? await way.resolver.resolve(address.name) : [address]
  if ('code' in resolution) return { failure: resolution }
  const candidates: Candidate[] = []
  let refusal: Failure | undefined
  for (const one of resolution) {
    const to = { address: one, port }
    const closed = context.gate.refusalOf(to) ?? familyFault(way, one)
    if (closed === undefined) candidates.push({ to, facts, decision })
    else refusal = closed
  }
  if (candidates.length > 0) return { candidates: inOrder(candidates, way), way }
  return { failure: refusal ?? failure('name_not_found', 'target') }
}

/** What is to be reached instead. */
export function redirectOf(decision: Decision | undefined): Redirect | undefined {
  return decision?.verdict === 'allow' ? decision.rule?.redirect : undefined
}

function wayName(decision: Decision | undefined): string {
  return decision === undefined ? DEFAULT_WAY : routeOf(decision)
}

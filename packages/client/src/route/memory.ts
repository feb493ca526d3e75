/**
 * What was learnt about proxies and pools: who is down until when, who was fast, whose turn it is. Kept beside the
 * routes, which are immutable, and forgotten with them. Keeps no time of its own.
 */
import type { PoolRoute } from './route.ts'

/** How much a new measurement counts against the old ones. */
const LATENCY_WEIGHT = 0.3

/** A member of a pool or a link of a chain. */
export type Member = PoolRoute['members'][number]

interface Health {
  failures: number
  downUntilMs: number
  latencyMs: number | undefined
}

const health = new WeakMap<Member, Health>()
const turns = new WeakMap<PoolRoute, number>()

/** True while the member is avoided. */
export function isDown(member: Member, nowMs: number): boolean {
  return downUntilMs(member) > nowMs
}

/** When the member is tried again without need; 0 for one that works. */
export function downUntilMs(member: Member): number {
  return health.get(member)?.downUntilMs ?? 0
}

/** Smoothed milliseconds of its last connections; `undefined` before the first. */
export function latencyMs(member: Member): number | undefined {
  return health.get(member)?.latencyMs
}

/** The member worked, in so many milliseconds. */
export function noteSuccess(member: Member, tookMs: number): void {
  const known = healthOf(member)
  known.failures = 0
  known.downUntilMs = 0
  known.latencyMs =
    known.latencyMs === undefined ? tookMs : known.latencyMs + (tookMs - known.latencyMs) * LATENCY_WEIGHT
}

/** The member failed: it is avoided for the back-off, which doubles from failure to failure. */
export function noteFailure(
  member: Member,
  nowMs: number,
  backOff: Pick<PoolRoute, 'backOffMs' | 'backOffMaxMs'>,
): void {
  const known = healthOf(member)
  // Several connections at once may fail for one cause: that is one failure.
  if (known.downUntilMs > nowMs) return
  known.downUntilMs = nowMs + Math.min(backOff.backOffMs * 2 ** known.failures, backOff.backOffMaxMs)
  known.failures++
}

/** Somebody has asked the member, and it does not work: it is avoided until then. */
export function noteDown(member: Member, untilMs: number): void {
  healthOf(member).downUntilMs = untilMs
}

/** Whose turn it is: 0, 1, 2, ... for each pool. */
export function takeTurn(pool: PoolRoute): number {
  const turn = turns.get(pool) ?? 0
  turns.set(pool, turn + 1)
  return turn
}

function healthOf(member: Member): Health {
  let known = health.get(member)
  if (known === undefined) {
    known = { failures: 0, downUntilMs: 0, latencyMs: undefined }
    health.set(member, known)
  }
  return known
}

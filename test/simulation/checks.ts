/** What must be true of a world that has come to rest. Knows what was planned and what happened, and not how. */
import type { Place } from '@socksmith/engine'
import { type Endpoint, formatDestination } from '@socksmith/protocol'
import type { SessionRecord } from '@socksmith/server'
import { type Case, nameOf } from './actors/case.ts'
import type { Traffic } from './actors/traffic.ts'
import {
  LOOKUPS_AT_ONCE,
  type TargetPlan,
  type TrafficPlan,
  type TunnelPlan,
  type WorldPlan,
  expectedPeer,
} from './plan.ts'
import type { Scene } from './scene.ts'
import type { SimulatedConnection } from './world/connection.ts'
import type { Physics } from './world/physics.ts'

/** The idle wheel's step, and the way of a last octet. */
const SLACK_MS = 1_000

/** Everything is given back, and every session has ended as it may. */
export function checkRest(physics: Physics, plan: WorldPlan, scene: Scene): void {
  const { engine, server, tally } = scene
  const held: readonly (readonly [string, number])[] = [
    ['sessions', server.sessionCount],
    ['connections', engine.connections.size],
    ['dials', engine.dials],
    ['datagram sockets', engine.datagramSockets],
    ['timers', physics.time.serverTimers],
    ['places in limits', tally.taken],
    ['listeners beside the own', scene.listenerCount - (scene.isStopped ? 0 : 3)],
  ]
  for (const [what, count] of held) if (count !== 0) physics.violated(`${count} ${what} are not given back`)
  for (const { local, remote } of engine.connections) {
    physics.log?.(`still open: ${placeText(local)} to ${placeText(remote)}`)
  }
  const unrecorded = scene.cases.filter(({ records, plan, hasLeft }) => {
    // An HTTP connection has a record for each request, so perhaps none.
    return records.length === 0 && plan.kind !== 'noise' && !hasLeft
  })
  const excused = tally.refusals + scene.turnedAway + (scene.isStopped ? Infinity : 0)
  if (unrecorded.length > excused) physics.violated(`no record of client ${unrecorded[0]?.plan.index}`)
  for (const aCase of scene.cases) checkCase(physics, plan, aCase)
}

function placeText(place: Place): string {
  return place.kind === 'ip' ? formatDestination(place.endpoint) : place.path
}

function checkCase(physics: Physics, world: WorldPlan, aCase: Case): void {
  const { plan, records } = aCase
  const say = (what: string): void => physics.violated(`client ${plan.index}: ${what}`)
  if (aCase.requestReplies > (plan.kind === 'bind' ? 2 : 1)) say(`${aCase.requestReplies} replies`)
  if (plan.kind !== 'noise' && records.length > 1) say(`${records.length} records`)
  const [record] = records
  if (record === undefined) return
  checkTimes(say, world, aCase, record)
  checkAccess(say, world, aCase, record)
  if (plan.kind === 'udp') {
    if (record.clientToTarget !== aCase.udpUp) say(`${aCase.udpUp} octets sent, ${record.clientToTarget} recorded`)
    if (record.targetToClient !== aCase.udpDown) say(`${aCase.udpDown} octets back, ${record.targetToClient} recorded`)
    if (world.isCalm && isWelcome(aCase) && record.clientToTarget > 0 && aCase.answers === 0 && allOpen(plan.targets)) {
      say('its datagrams got no answer')
    }
  }
  if (plan.kind !== 'connect' && plan.kind !== 'bind') return
  const tunnel = tunnelOf(aCase, record)
  if (tunnel === undefined) {
    if (record.clientToTarget + record.targetToClient > 0) say('octets recorded, and no tunnel')
  } else checkTunnel(say, aCase, record, tunnel)
  for (const [key, traffic] of aCase.targets) {
    if (traffic !== tunnel?.target && traffic.receivedOctets > 0) say(`octets to ${key}, which lost the race`)
    checkHeard(say, key, traffic, aCase.targetEnds.get(key))
  }
  if (aCase.client !== undefined) checkHeard(say, 'the client', aCase.client, aCase.serverEnd)
  if (world.isCalm) checkServed(say, world, aCase as Case<TunnelPlan>, record, tunnel)
}

function checkTimes(say: (what: string) => void, { limits }: WorldPlan, aCase: Case, record: SessionRecord): void {
  const { durationMs, end } = record
  if (record.target === undefined && record.command === undefined && durationMs > limits.handshakeMs + 1) {
    say(`${durationMs} ms without a request`)
  }
  if (end === 'handshake-timeout' && durationMs < limits.handshakeMs) say(`timed out after ${durationMs} ms`)
  if (aCase.plan.kind !== 'connect' && aCase.plan.kind !== 'bind') return
  if (end === 'idle' && durationMs < Math.min(limits.idleMs, limits.halfOpenIdleMs)) say(`idle after ${durationMs} ms`)
  const lastMs = lastTrafficMs(aCase)
  const takenMs = Math.max(...[aCase.serverEnd, ...aCase.targetEnds.values()].map(one => one?.lastTakenMs ?? 0))
  const longestMs = 2 * Math.max(limits.idleMs, limits.halfOpenIdleMs) + SLACK_MS
  const endedAtMs = aCase.acceptedAtMs + durationMs
  const quietMs = endedAtMs - Math.max(lastMs, takenMs)
  if (record.dialled !== undefined && quietMs > longestMs) say(`a quiet tunnel for ${quietMs} ms`)
  if (end === 'idle' && endedAtMs - lastMs < Math.min(limits.idleMs, limits.halfOpenIdleMs) - 1) {
    say(`idle ${endedAtMs - lastMs} ms after the last octet`)
  }
}

function lastTrafficMs({ serverEnd, targetEnds }: Case): number {
  return Math.max(serverEnd?.lastTrafficMs ?? 0, ...[...targetEnds.values()].map(one => one.lastTrafficMs))
}

function checkAccess(
  say: (what: string) => void,
  { descriptors }: WorldPlan,
  { plan, client }: Case,
  record: SessionRecord,
): void {
  if (plan.listener === 'password' && record.user === undefined && (client !== undefined || record.dialled)) {
    say('served without a password')
  }
  if (plan.kind === 'connect' && nameOf(plan) === undefined) {
    const [target] = plan.targets
    const isClosed = target?.fate === 'inside' || target?.fate === 'own'
    // Where descriptors are few it is refused before anybody looks at the target.
    const isLooked = record.failure !== 'too_busy' || descriptors === Infinity
    if (isClosed && isLooked && record.reply !== undefined && (client !== undefined || record.end !== 'refused')) {
      say(`${target.fate}: ended as ${record.end}`)
    }
  }
}

interface Tunnel {
  readonly targetEnd: SimulatedConnection
  /** Absent while the target has not heard of the connection. */
  readonly target: Traffic | undefined
}

function tunnelOf({ targetEnds, targets }: Case, { dialled }: SessionRecord): Tunnel | undefined {
  const key = dialled && keyOf(dialled)
  const targetEnd = key === undefined ? undefined : targetEnds.get(key)
  return targetEnd && key !== undefined ? { targetEnd, target: targets.get(key) } : undefined
}

function keyOf(endpoint: Endpoint): string {
  return formatDestination(endpoint)
}

function checkTunnel(say: (what: string) => void, aCase: Case, record: SessionRecord, tunnel: Tunnel): void {
  const { target, targetEnd } = tunnel
  const { client } = aCase
  if (targetEnd.writtenOctets !== record.clientToTarget) {
    say(`${targetEnd.writtenOctets} octets written to the target, ${record.clientToTarget} recorded`)
  }
  if (targetEnd.deliveredOctets !== record.targetToClient) {
    say(`${targetEnd.deliveredOctets} octets read from the target, ${record.targetToClient} recorded`)
  }
  if ((client?.receivedOctets ?? 0) > record.targetToClient) say('the client got more than was recorded')
  if ((target?.receivedOctets ?? 0) > record.clientToTarget) say('the target got more than was recorded')
  // When we cut it, one side hears FIN although the other one had not finished.
  if (record.end === 'idle' || record.end === 'stopped') return
  if (client !== undefined && target !== undefined) {
    checkEnd(say, 'target', target, client)
    checkEnd(say, 'client', client, target)
  }
}

// FIN is a promise: that was all. It must not be made by anybody but the sender.
function checkEnd(say: (what: string) => void, side: string, hearer: Traffic, speaker: Traffic): void {
  if (!hearer.hasHeardEnd) return
  const { hasEnded, hasReset, lostOctets, cause } = speaker.connection
  const isMeant = hasReset ? hasEnded && lostOctets === 0 : hasEnded || cause === 'destroyed'
  if (!isMeant || hearer.receivedOctets !== speaker.sentOctets - lostOctets) {
    say(`the ${side} heard FIN after ${hearer.receivedOctets} of ${speaker.sentOctets} octets`)
  }
}

// Who still listens has to hear that the tunnel is over.
function checkHeard(
  say: (what: string) => void,
  name: string,
  traffic: Traffic,
  serverEnd: SimulatedConnection | undefined,
): void {
  if (serverEnd === undefined || traffic.plan.ending === 'stall') return
  if (!traffic.hasHeardEnd && traffic.cause === undefined) say(`${name} never heard of the end`)
}

/** Nothing stands in the way of this client: then it is served, and to the last octet. */
function checkServed(
  say: (what: string) => void,
  { bindPorts, clients }: WorldPlan,
  aCase: Case<TunnelPlan>,
  record: SessionRecord,
  tunnel: Tunnel | undefined,
): void {
  const { plan, client } = aCase
  if (!isWelcome(aCase) || !isReachable(plan, bindPorts) || isRude(plan.down)) return
  // Names that nobody answers may hold every turn.
  const silent = clients.filter(one => 'name' in one && one.name?.answer === 'silent')
  if (plan.name !== undefined && silent.length >= LOOKUPS_AT_ONCE) return
  if (client === undefined || tunnel?.target === undefined) return say(`not served: ${record.end} ${record.failure}`)
  if (plan.up.ending !== 'fin' || plan.down.ending !== 'fin') return
  if (record.end !== 'client-finished' && record.end !== 'target-finished') say(`two FINs, and ${record.end}`)
  const { target } = tunnel
  if (!client.hasHeardEnd || !target.hasHeardEnd) say('two FINs, and one was not heard')
}

function isWelcome({ plan, hasLeft, serverEnd }: Case): boolean {
  if (hasLeft || serverEnd === undefined) return false
  if (plan.listener !== 'password') return true
  if (plan.kind === 'udp') return true
  return (
    plan.kind !== 'noise' && plan.credentials === 'right' && (plan.protocol === 'socks5' || plan.protocol === 'http')
  )
}

function isReachable(plan: TunnelPlan, areFewPorts: boolean): boolean {
  const { kind, name, targets, peerAfterMs, strangers, protocol } = plan
  // With few ports the late peer of one BIND may knock at the next one, and a stranger ends it in SOCKS4.
  const isUndisturbed = strangers === 0 && !areFewPorts
  if (name !== undefined && name.answer !== 'right') return false
  if (kind === 'connect') return targets.some(({ fate }) => fate === 'open')
  return expectedPeer(plan) !== undefined && peerAfterMs !== Infinity && (isUndisturbed || protocol === 'socks5')
}

/** It may take the tunnel down before the client has read its reply. */
function isRude({ ending }: TrafficPlan): boolean {
  return ending === 'reset' || ending === 'destroy'
}

function allOpen(targets: readonly TargetPlan[]): boolean {
  return targets.every(({ fate }) => fate === 'open')
}

/** What will happen in one world, decided by its seed before it begins. Plain data; nothing here acts. */
import type { Limits } from '@socksmith/server'
import type { Endpoint } from '@socksmith/protocol'
import { endpoint } from './world/address.ts'
import type { DatagramTraits, Fate } from './world/network.ts'
import type { Random } from './world/random.ts'

export type Ending = 'fin' | 'reset' | 'destroy' | 'vanish' | 'stall'

export type Action =
  | { readonly kind: 'write'; readonly octets: number }
  | { readonly kind: 'wait' | 'stall'; readonly ms: number }

export interface TrafficPlan {
  readonly actions: readonly Action[]
  readonly ending: Ending
}

/** Where a request goes. `inside` and `own` are addresses that the server must never dial. */
export interface TargetPlan {
  readonly endpoint: Endpoint
  readonly fate: Fate | 'inside' | 'own'
  readonly latencyMs: number
}

export interface NamePlan {
  /** `wrong` is answered with a failure, `silent` never. */
  readonly answer: 'right' | 'wrong' | 'silent'
  readonly delayMs: number
}

export type Protocol = 'socks4' | 'socks4a' | 'socks5' | 'http'
export type ListenerName = 'open' | 'password' | 'proxied'

interface ClientBase {
  readonly index: number
  readonly startMs: number
  readonly from: Endpoint
  readonly listener: ListenerName
  /** It loses patience, in whatever phase it is. */
  readonly leave?: { readonly afterMs: number; readonly how: Ending }
}

export interface TunnelPlan extends ClientBase {
  readonly kind: 'connect' | 'bind'
  readonly protocol: Protocol
  readonly credentials: 'right' | 'wrong' | 'none'
  /** Waits for each reply, or sends all of the handshake at once, or even octets of the tunnel behind it. */
  readonly haste: 'stepwise' | 'glued' | 'early'
  readonly earlyOctets: number
  readonly name?: NamePlan
  readonly targets: readonly TargetPlan[]
  readonly up: TrafficPlan
  readonly down: TrafficPlan
  /** BIND: strangers that come before the peer; `Infinity` stands for a peer that never comes. */
  readonly strangers: number
  readonly peerAfterMs: number
}

/** Who a BIND waits for: the first address that may be used, and told in the protocol's reply. */
export function expectedPeer({ targets, protocol }: TunnelPlan): TargetPlan | undefined {
  return targets.find(({ fate, endpoint: { address } }) => {
    return fate !== 'inside' && fate !== 'own' && (protocol === 'socks5' || address.type === 'ipv4')
  })
}

export interface UdpPlan extends ClientBase {
  readonly kind: 'udp'
  readonly name?: NamePlan
  readonly targets: readonly TargetPlan[]
  readonly datagrams: number
  readonly gapMs: number
  readonly ending: Ending
}

export interface NoisePlan extends ClientBase {
  readonly kind: 'noise'
  readonly pieces: readonly Uint8Array[]
  readonly gapMs: number
  readonly ending: Ending
}

export type ClientPlan = TunnelPlan | UdpPlan | NoisePlan

export interface WorldPlan {
  /** Nothing but the clients' own doing goes wrong, and no limit is met: whoever behaves must be served. */
  readonly isCalm: boolean
  readonly limits: Limits
  readonly reassemble: boolean
  readonly fullCone: boolean
  readonly bindPorts: boolean
  readonly judgeMs: number
  readonly datagrams: DatagramTraits
  readonly droughts: readonly { readonly atMs: number; readonly forMs: number }[]
  readonly jumps: readonly { readonly atMs: number; readonly byMs: number }[]
  readonly stop?: { readonly atMs: number; readonly deadlineMs: number }
  readonly clients: readonly ClientPlan[]
  /** That the server may have for its clients. */
  readonly descriptors: number
}

/** As many names are asked for at once; a silent one keeps its turn for longer than anybody waits. */
export const LOOKUPS_AT_ONCE = 2

/** Clients begin within this time. */
const BEGIN_WITHIN_MS = 2_000

export function makePlan(random: Random): WorldPlan {
  const isCalm = random.chance(0.5)
  const often = (count: number): number => (isCalm ? 0 : random.between(0, count))
  const judgeMs = random.next() * 300
  return {
    isCalm,
    limits: makeLimits(random, isCalm),
    reassemble: random.chance(0.2),
    fullCone: random.chance(0.2),
    bindPorts: random.chance(0.3),
    judgeMs,
    datagrams: isCalm
      ? { lossChance: 0, twiceChance: 0, latencyMs: 20 }
      : { lossChance: random.next() * 0.3, twiceChance: random.next() * 0.2, latencyMs: random.next() * 200 },
    droughts: Array.from({ length: often(2) }, () => ({ atMs: random.next() * 3_000, forMs: random.next() * 500 })),
    jumps: Array.from({ length: often(3) }, () => ({
      atMs: random.next() * 4_000,
      byMs: random.between(-1e9, 1e9),
    })),
    ...(!isCalm &&
      random.chance(0.2) && { stop: { atMs: random.next() * 5_000, deadlineMs: random.pick([0, 500, 5_000]) } }),
    clients: Array.from({ length: random.between(1, 4) }, (_, index) => makeClient(random, index)),
    descriptors: isCalm || random.chance(0.5) ? Infinity : random.between(2, 6),
  }
}

function makeLimits(random: Random, isCalm: boolean): Limits {
  const count = (least: number): number => (isCalm ? 100 : random.between(least, 4))
  return {
    connections: count(1),
    connectionsPerClient: count(1),
    handshakeMs: 3_000,
    pendingDials: count(1),
    dialMs: 4_000,
    bindMs: 4_000,
    idleMs: isCalm ? 15_000 : random.pick([3_000, 15_000]),
    halfOpenIdleMs: isCalm ? 15_000 : random.pick([2_000, 10_000]),
    failureCloseMs: 1_000,
    earlyOctets: isCalm ? 65_536 : random.pick([256, 4_096, 65_536]),
    udpAssociations: count(1),
    udpIdleMs: 5_000,
    udpRemotes: count(1),
    udpDatagramsPerSecond: isCalm ? 0 : random.pick([0, 2, 20]),
  }
}

function makeClient(random: Random, index: number): ClientPlan {
  const listener = random.weighted({ open: 5, password: 3, proxied: 1 })
  const base = {
    index,
    startMs: random.next() * BEGIN_WITHIN_MS,
    // Few addresses: the limit for one client is met too.
    from: endpoint(`30.0.0.${random.between(1, 3)}`, 2_000 + index),
    listener,
    ...(random.chance(0.15) && {
      leave: { afterMs: random.size(6_000), how: random.pick(['fin', 'reset', 'destroy'] as const) },
    }),
  }
  const kind = random.weighted({ connect: 60, bind: 15, udp: 15, noise: 20 })
  if (kind === 'noise') return { ...base, kind, ...makeNoise(random) }
  const isNamed = random.chance(0.4)
  const targets = Array.from({ length: isNamed ? random.between(1, 4) : 1 }, (_, i) =>
    makeTarget(random, index, i, isNamed),
  )
  const name: NamePlan = {
    answer: random.weighted({ right: 18, wrong: 1, silent: 1 }),
    delayMs: random.next() * 500,
  }
  const destination = { targets, ...(isNamed && { name }) }
  if (kind === 'udp') {
    return {
      ...base,
      ...destination,
      kind,
      datagrams: random.size(30),
      gapMs: random.next() * 100,
      ending: random.pick(['fin', 'reset', 'destroy', 'vanish']),
    }
  }
  return { ...base, ...destination, kind, ...makeTunnel(random, kind, isNamed, targets) }
}

type TunnelPart = Omit<TunnelPlan, keyof ClientBase | 'kind' | 'name' | 'targets'>

function makeTunnel(
  random: Random,
  kind: 'connect' | 'bind',
  isNamed: boolean,
  targets: readonly TargetPlan[],
): TunnelPart {
  const isIpv6 = targets[0]?.endpoint.address.type === 'ipv6'
  const protocols: Protocol[] = ['socks5', 'socks5']
  if (kind === 'connect') protocols.push('http')
  if (isNamed) protocols.push('socks4a')
  else if (!isIpv6) protocols.push('socks4')
  const protocol = random.pick(protocols)
  return {
    protocol,
    credentials: random.weighted({ right: 8, wrong: 1, none: 1 }),
    haste: random.weighted({ stepwise: 5, glued: 2, early: 2 }),
    earlyOctets: random.size(3_000),
    up: makeTraffic(random),
    down: makeTraffic(random),
    strangers: random.pick([0, 0, 0, 1, 2]),
    peerAfterMs: random.chance(0.1) ? Infinity : random.next() * 1_000,
  }
}

function makeTraffic(random: Random): TrafficPlan {
  const isHeavy = random.chance(0.05)
  const actions = Array.from({ length: random.between(0, 6) }, (): Action => {
    const kind = random.weighted({ write: 6, wait: 3, stall: 1 })
    if (kind === 'write') return { kind, octets: isHeavy ? random.between(1, 200_000) : random.size(20_000) }
    return { kind, ms: random.size(800) }
  })
  return { actions, ending: random.weighted({ fin: 14, reset: 2, destroy: 2, vanish: 1, stall: 1 }) }
}

/** No two clients share a target, and no two targets an address: what happens there is known to be about this client. */
function makeTarget(random: Random, client: number, index: number, isNamed: boolean): TargetPlan {
  const fate = random.weighted({
    open: 14,
    refused: 2,
    'network-unreachable': 1,
    'host-unreachable': 1,
    'black-hole': 1,
    inside: 1,
    // A name is asked for at one port, which is not one of the server's own.
    own: isNamed ? 0 : 0.5,
  })
  const latencyMs = random.next() * random.pick([5, 100, 1_000])
  if (fate === 'own') return { endpoint: endpoint('8.8.1.1', 1_080), fate, latencyMs }
  const network = fate === 'inside' ? '10' : '20'
  const isIpv6 = fate !== 'inside' && random.chance(0.4)
  const text = isIpv6 ? `2600:1:${client}::${index + 1}` : `${network}.0.${client}.${index + 1}`
  return { endpoint: endpoint(text, 4_000 + client), fate, latencyMs }
}

const FIRST_OCTETS = [4, 5, 5, 5, 0x43, 0x47, 0x50, 0x16] as const

function makeNoise(random: Random): Pick<NoisePlan, 'pieces' | 'gapMs' | 'ending'> {
  const pieces = Array.from({ length: random.between(0, 4) }, (_, i) => {
    const piece = Uint8Array.from({ length: random.size(400) }, () =>
      random.chance(0.5) ? random.between(0, 5) : random.between(0, 255),
    )
    if (i === 0) piece[0] = random.pick(FIRST_OCTETS)
    return piece
  })
  return { pieces, gapMs: random.next() * 1_000, ending: random.pick(['fin', 'reset', 'destroy', 'vanish']) }
}

/** What is known about one client of a world, gathered while it runs and judged at its end. Decides nothing. */
import type { SessionRecord } from '@socksmith/server'
import type { ClientPlan } from '../plan.ts'
import type { SimulatedConnection } from '../world/connection.ts'
import type { Traffic } from './traffic.ts'
import type { Reply } from './words.ts'

export interface Case<P extends ClientPlan = ClientPlan> {
  readonly plan: P
  readonly records: SessionRecord[]
  /** The last reply that the client read, and how many there were to the request itself. */
  reply: Reply | undefined
  requestReplies: number
  /** The server's end of the client's connection; absent while it was not accepted. */
  serverEnd: SimulatedConnection | undefined
  acceptedAtMs: number
  /** The server's ends towards targets and BIND peers, by the endpoint at the other end. */
  readonly targetEnds: Map<string, SimulatedConnection>
  /** What the client and the targets sent and got, once there was a tunnel. */
  client: Traffic | undefined
  readonly targets: Map<string, Traffic>
  /** Octets that the server sent in datagrams, without headers of SOCKS. */
  udpUp: number
  udpDown: number
  /** Datagrams that came back to the client. */
  answers: number
  /** It did something that nobody asked it to: left early, or was sent away by the scene. */
  hasLeft: boolean
}

export function newCase<P extends ClientPlan>(plan: P): Case<P> {
  return {
    plan,
    records: [],
    reply: undefined,
    requestReplies: 0,
    serverEnd: undefined,
    acceptedAtMs: 0,
    targetEnds: new Map(),
    client: undefined,
    targets: new Map(),
    udpUp: 0,
    udpDown: 0,
    answers: 0,
    hasLeft: false,
  }
}

/** The name by which the client of this plan asks for its targets, when it does. */
export function nameOf(plan: ClientPlan): string | undefined {
  return plan.kind === 'noise' || plan.name === undefined ? undefined : `c${plan.index}.example`
}

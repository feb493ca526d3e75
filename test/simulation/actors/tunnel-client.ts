/** A client that wants a tunnel, by CONNECT or BIND, and the peers that a BIND waits for. */
import { type Endpoint, formatDestination } from '@socksmith/protocol'
import { type Ending, type TunnelPlan, expectedPeer } from '../plan.ts'
import type { SimulatedConnection } from '../world/connection.ts'
import { endpoint } from '../world/address.ts'
import type { Network } from '../world/network.ts'
import type { Physics } from '../world/physics.ts'
import type { Case } from './case.ts'
import { Handshake, handshakeSteps } from './handshake.ts'
import { type Keys, Traffic } from './traffic.ts'
import type { Reply } from './words.ts'

/** Which patterns the two ends of client `index` send. */
export function keysOf(index: number): { readonly client: Keys; readonly target: Keys } {
  const [up, down] = [2 * index + 1, 2 * index + 2]
  return { client: { sends: up, gets: down }, target: { sends: down, gets: up } }
}

export class TunnelClient {
  readonly #physics: Physics
  readonly #network: Network
  readonly #case: Case<TunnelPlan>
  readonly #handshake: Handshake
  #grants = 0

  constructor(physics: Physics, network: Network, aCase: Case<TunnelPlan>, connection: SimulatedConnection) {
    this.#physics = physics
    this.#network = network
    this.#case = aCase
    this.#handshake = new Handshake(physics, aCase, connection, handshakeSteps(aCase.plan), {
      onGranted: (reply, rest) => this.#onGranted(reply, rest),
      onOver() {},
    })
  }

  start(preface: Uint8Array): void {
    const { plan } = this.#case
    this.#handshake.start(preface, plan.haste, { key: keysOf(plan.index).client.sends, octets: plan.earlyOctets })
  }

  leave(how: Ending): void {
    ;(this.#case.client ?? this.#handshake).leave(how)
  }

  #onGranted(reply: Reply, rest: Uint8Array): boolean {
    const { plan } = this.#case
    this.#grants++
    if (plan.kind === 'bind' && this.#grants === 1) {
      if (reply.bound !== undefined) this.#sendPeers(reply.bound)
      return false
    }
    const traffic = new Traffic(
      this.#physics,
      `client ${plan.index}`,
      this.#handshake.connection,
      keysOf(plan.index).client,
      plan.up,
    )
    this.#case.client = traffic
    traffic.start(this.#handshake.earlyOctets, rest)
    return true
  }

  #sendPeers(bound: Endpoint): void {
    const { plan } = this.#case
    const { time } = this.#physics
    for (let i = 0; i < plan.strangers; i++) {
      time.later((plan.peerAfterMs === Infinity ? 500 : plan.peerAfterMs) * (i / 4), () =>
        this.#connectPeer(endpoint(`40.0.${plan.index}.${i + 1}`, 999), bound, { actions: [], ending: 'vanish' }),
      )
    }
    const peer = expectedPeer(plan)
    if (peer === undefined || plan.peerAfterMs === Infinity) return
    time.later(plan.peerAfterMs, () => this.#connectPeer({ ...peer.endpoint, port: 999 }, bound, plan.down))
  }

  #connectPeer(from: Endpoint, bound: Endpoint, plan: TunnelPlan['down']): void {
    const name = `peer ${formatDestination(from)} of client ${this.#case.plan.index}`
    const connection = this.#network.connect(from, bound)
    if (connection === undefined) return this.#physics.log?.(`${name}: refused`)
    const traffic = new Traffic(this.#physics, name, connection, keysOf(this.#case.plan.index).target, plan)
    this.#case.targets.set(formatDestination(from), traffic)
    traffic.start(0, new Uint8Array(0))
  }
}

/**
 * A client with a UDP association, the targets that answer it, and two forgers: one that writes into the association in
 * the client's place, and one that answers in the targets' place.
 */
import { type Endpoint, formatDestination, sameAddress } from '@socksmith/protocol'
import { endpoint } from '../world/address.ts'
import type { Ending, UdpPlan } from '../plan.ts'
import type { SimulatedConnection } from '../world/connection.ts'
import type { Network, SimulatedDatagrams } from '../world/network.ts'
import { firstWrong, patternOctets } from '../world/pattern.ts'
import type { Physics } from '../world/physics.ts'
import { type Case, nameOf } from './case.ts'
import { Handshake, handshakeSteps } from './handshake.ts'
import { socks5Datagram } from './words.ts'

/** First octet of a payload: who made it. */
const FROM_CLIENT = 1
const FROM_TARGET = 2
const FORGED = 3
const MARK_OCTETS = 3
/** From the last datagram until the client ends its association: answers come in. */
const REST_MS = 600

export class UdpClient {
  readonly #physics: Physics
  readonly #network: Network
  readonly #case: Case<UdpPlan>
  readonly #isFullCone: boolean
  readonly #handshake: Handshake
  #socket: SimulatedDatagrams | undefined
  #isGone = false

  constructor(
    physics: Physics,
    network: Network,
    aCase: Case<UdpPlan>,
    connection: SimulatedConnection,
    isFullCone: boolean,
  ) {
    this.#physics = physics
    this.#network = network
    this.#case = aCase
    this.#isFullCone = isFullCone
    this.#handshake = new Handshake(physics, aCase, connection, handshakeSteps(aCase.plan), {
      onGranted: ({ bound }) => {
        if (bound !== undefined) this.#open(bound)
        return true
      },
      onOver: () => (this.#isGone = true),
    })
  }

  start(preface: Uint8Array): void {
    this.#handshake.start(preface, 'stepwise', { key: 0, octets: 0 })
  }

  leave(how: Ending): void {
    this.#isGone = true
    this.#handshake.leave(how)
  }

  #open(bound: Endpoint): void {
    const { plan } = this.#case
    const from = { address: plan.from.address, port: plan.from.port + 1_000 }
    this.#socket = this.#network.bind(from, { onDatagram: (octets, by) => this.#onAnswer(octets, by, bound) })
    for (const { endpoint: at, fate } of plan.targets) if (fate === 'open') this.#openTarget(at)
    this.#sendNext(bound, 0)
  }

  #sendNext(bound: Endpoint, index: number): void {
    const { plan } = this.#case
    if (this.#isGone) return
    if (index === plan.datagrams) {
      this.#physics.time.later(REST_MS, () => this.#isGone || this.leave(plan.ending))
      return
    }
    const { random, time } = this.#physics
    const to = random.pick(plan.targets).endpoint
    const datagram = socks5Datagram(to, nameOf(plan), this.#payload(FROM_CLIENT, random.size(1_200)))
    if (random.chance(0.1)) datagram[2] = random.pick([1, 2, 0x81])
    if (random.chance(0.05)) this.#socket?.send(datagram.subarray(0, random.between(0, 9)), bound)
    this.#socket?.send(datagram, bound)
    if (random.chance(0.2)) this.#forge(bound, socks5Datagram(to, undefined, this.#payload(FORGED, 20)))
    time.later(random.next() * plan.gapMs, () => this.#sendNext(bound, index + 1))
  }

  #forge(to: Endpoint, octets: Uint8Array): void {
    this.#network.carry(octets, endpoint('50.0.0.1', 5_000), to)
  }

  #payload(by: number, octets: number): Uint8Array {
    const { index } = this.#case.plan
    return Uint8Array.from([by, index, octets & 0xff, ...patternOctets(index, octets & 0xff, octets)])
  }

  #openTarget(at: Endpoint): void {
    const socket = this.#network.bind(at, {
      onDatagram: (octets, from) => {
        this.#check('target', octets, FROM_CLIENT)
        const { random } = this.#physics
        socket?.send(this.#payload(FROM_TARGET, random.size(1_200)), from)
        if (random.chance(0.2)) this.#forge(from, this.#payload(FORGED, 20))
      },
    })
  }

  #onAnswer(octets: Uint8Array, by: Endpoint, bound: Endpoint): void {
    const { plan } = this.#case
    const name = `UDP client ${plan.index}`
    if (formatDestination(by) !== formatDestination(bound)) this.#physics.violated(`${name}: a datagram from elsewhere`)
    const length = octets[3] === 1 ? 4 : 16
    const source = octets.slice(4, 4 + length)
    const type = length === 4 ? 'ipv4' : 'ipv6'
    const isTarget = plan.targets.some(one => sameAddress(one.endpoint.address, { type, octets: source }))
    const data = octets.subarray(6 + length)
    this.#case.answers++
    if (this.#isFullCone && data[0] === FORGED) return
    if (!isTarget) this.#physics.violated(`${name}: an answer of somebody it never wrote to`)
    this.#check('client', data, FROM_TARGET)
  }

  #check(where: string, data: Uint8Array, by: number): void {
    const { index } = this.#case.plan
    const isRight =
      data[0] === by && data[1] === index && firstWrong(index, data[2] ?? 0, data.subarray(MARK_OCTETS)) === -1
    // The length tells its own low octet: a datagram that was cut or joined shows.
    if (!isRight || ((data.length - MARK_OCTETS) & 0xff) !== data[2]) {
      this.#physics.violated(`UDP of client ${index}: the ${where} got what nobody sent it`)
    }
  }
}

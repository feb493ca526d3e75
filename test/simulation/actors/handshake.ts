/**
 * A client up to its last reply: says its steps one by one or all at once, and reads the replies. Whoever made it goes on
 * from there. Knows nothing of what the tunnel carries.
 */
import type { CloseCause, ConnectionReader } from '@socksmith/engine'
import { concat } from '@socksmith/protocol'
import type { Ending, TunnelPlan, UdpPlan } from '../plan.ts'
import type { SimulatedConnection } from '../world/connection.ts'
import { patternOctets } from '../world/pattern.ts'
import type { Physics } from '../world/physics.ts'
import { type Case, nameOf } from './case.ts'
import {
  type Reply,
  type ReplyKind,
  httpConnect,
  login,
  readReply,
  socks4Request,
  socks5Greeting,
  socks5Request,
} from './words.ts'

export interface Step {
  readonly send: Uint8Array
  readonly reply: ReplyKind
  /** It is the answer to the request itself. */
  readonly isFinal?: boolean
}

export interface HandshakeHandler {
  /** A reply to the request granted it: true when no other reply follows. */
  onGranted(reply: Reply, rest: Uint8Array): boolean
  onOver(): void
}

const COMMANDS = { connect: 1, bind: 2, udp: 3 } as const

/** The right user is `bob` with `secret`. */
export const PASSWORD = 'secret'

export function handshakeSteps(plan: TunnelPlan | UdpPlan): Step[] {
  const protocol = plan.kind === 'udp' ? 'socks5' : plan.protocol
  const to = plan.targets[0]?.endpoint
  if (to === undefined) throw new Error('a plan without a target')
  const name = nameOf(plan)
  const command = COMMANDS[plan.kind]
  const credentials = plan.kind === 'udp' ? 'right' : plan.credentials
  const password = credentials === 'wrong' ? 'guess' : PASSWORD
  if (protocol === 'http') {
    const pair = credentials === 'none' ? undefined : `bob:${password}`
    return [{ send: httpConnect(to, name, pair), reply: 'http', isFinal: true }]
  }
  if (protocol !== 'socks5') return [{ send: socks4Request(command, to, name), reply: 'socks4', isFinal: true }]
  // A password is only offered where it is asked for: the answer to a glued handshake has to be known beforehand.
  const offersPassword = plan.listener === 'password' && credentials !== 'none'
  // RFC 1928 section 6: a UDP client that does not know its port yet says 0.
  const request =
    plan.kind === 'udp' ? socks5Request(command, { ...to, port: 0 }, undefined) : socks5Request(command, to, name)
  return [
    { send: socks5Greeting([offersPassword ? 2 : 0]), reply: 'method' },
    ...(offersPassword ? ([{ send: login('bob', password), reply: 'login' }] as const) : []),
    { send: request, reply: 'socks5', isFinal: true },
  ]
}

export class Handshake implements ConnectionReader {
  earlyOctets = 0
  readonly connection: SimulatedConnection
  readonly #physics: Physics
  readonly #case: Case
  readonly #steps: readonly Step[]
  readonly #handler: HandshakeHandler
  #at = 0
  #said = 0
  #inbox: Uint8Array = new Uint8Array(0)
  #isOver = false

  constructor(
    physics: Physics,
    aCase: Case,
    connection: SimulatedConnection,
    steps: readonly Step[],
    handler: HandshakeHandler,
  ) {
    this.#physics = physics
    this.#case = aCase
    this.connection = connection
    this.#steps = steps
    this.#handler = handler
  }

  start(
    preface: Uint8Array,
    haste: TunnelPlan['haste'],
    early: { readonly key: number; readonly octets: number },
  ): void {
    this.connection.read(this)
    this.connection.write(preface)
    if (haste === 'stepwise') return this.#say()
    const words = this.#steps.map(step => step.send)
    this.#said = words.length
    if (haste === 'early') {
      this.earlyOctets = early.octets
      words.push(patternOctets(early.key, 0, early.octets))
    }
    this.connection.write(concat(words))
  }

  onOctets(octets: Uint8Array): void {
    if (this.#isOver) {
      this.#physics.violated(`client ${this.#case.plan.index}: ${octets.length} octets behind a refusal`)
      return
    }
    this.#inbox = concat([this.#inbox, octets])
    while (!this.#isOver && this.#readOne());
  }

  onEnd(): void {
    this.#physics.log?.(`client ${this.#case.plan.index}: FIN in the handshake`)
    this.#isOver = true
    this.connection.end()
    this.#handler.onOver()
  }

  onClose(cause: CloseCause): void {
    this.#physics.log?.(`client ${this.#case.plan.index}: ${cause} in the handshake`)
    this.#isOver = true
    this.#handler.onOver()
  }

  leave(how: Ending): void {
    this.#said = Infinity
    if (how === 'fin') this.connection.end()
    else if (how === 'reset') this.connection.reset()
    else if (how === 'destroy') this.connection.destroy()
  }

  /** Reads one reply; false when there is nothing more to read for now. */
  #readOne(): boolean {
    const step = this.#steps[this.#at]
    if (step === undefined) return false
    const reply = readReply(step.reply, this.#inbox)
    if (reply === undefined) return false
    const { index } = this.#case.plan
    if (reply === 'malformed') {
      this.#physics.violated(`client ${index}: this is no reply: ${Buffer.from(this.#inbox).toString('hex')}`)
      this.#isOver = true
      return false
    }
    this.#physics.log?.(`client ${index}: ${step.reply} reply ${reply.code}`)
    this.#inbox = this.#inbox.slice(reply.length)
    this.#case.reply = reply
    if (step.isFinal === true) this.#case.requestReplies++
    if (!reply.isGranted) return this.#onRefused(index)
    if (step.isFinal === true) {
      const rest = this.#inbox
      if (this.#handler.onGranted(reply, rest)) {
        this.#isOver = true
        return false
      }
      return true
    }
    this.#at++
    this.#say()
    return true
  }

  #onRefused(index: number): false {
    this.#isOver = true
    if (this.#inbox.length > 0) this.#physics.violated(`client ${index}: ${this.#inbox.length} octets behind a refusal`)
    return false
  }

  #say(): void {
    const step = this.#steps[this.#said]
    // Everything was said before, or the client has gone silent.
    if (step === undefined || this.#said > this.#at) return
    this.#said++
    this.connection.write(step.send)
  }
}

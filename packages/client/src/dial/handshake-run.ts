/**
 * Drives one handshake of the protocol over one connection of an engine: writes what it wants to send, feeds it what
 * arrives, and stops reading at the octet behind the reply. Knows no route and keeps no time.
 */
import type { CloseCause, Connection, ConnectionReader } from '@socksmith/engine'
import {
  type ClientHandshake,
  type ClientHandshakeEvent,
  type ClientPhase,
  type Destination,
  type Failure,
  type Protection,
  failure,
} from '@socksmith/protocol'
import type { Phase } from '../socks-error.ts'
import { ProtectedConnection } from './protected-connection.ts'
import type { Step } from './scope.ts'

/** The proxy has granted the request. */
export interface Granted {
  readonly kind: 'granted'
  /** Of plain octets, paused. */
  readonly connection: Connection
  /** Octets behind the reply. */
  readonly early: Uint8Array
  readonly bound: Destination
  readonly protection?: Protection
}

/** First reply to BIND; `run.goOn()` waits for the second. */
export interface Listening {
  readonly kind: 'listening'
  readonly bound: Destination
}

/** It came to nothing, in this phase. The connection is destroyed. */
export interface Refused {
  readonly kind: 'refused'
  readonly failure: Failure
  readonly phase: Phase
}

export interface HandshakeHooks {
  /** Called when a phase begins. */
  onPhase(phase: Phase): void
  /** The person's answer to a question of the method. */
  prompt?(text: Uint8Array): Promise<Uint8Array>
  /** Sent right behind the request, without waiting for the reply. */
  readonly earlyData?: Uint8Array
}

const PHASES: { readonly [P in ClientPhase]: Phase } = {
  idle: 'greeting',
  selection: 'greeting',
  exchange: 'authentication',
  prompting: 'authentication',
  reply: 'request',
  'second-reply': 'accept',
  established: 'relay',
  failed: 'relay',
}

type Outcome = Granted | Listening | Refused

export class HandshakeRun implements ConnectionReader, Step<Outcome> {
  readonly #connection: Connection
  readonly #handshake: ClientHandshake
  readonly #hooks: HandshakeHooks
  #early: Uint8Array | undefined
  #phase: Phase = 'greeting'
  #isOver = false
  #waiting: PromiseWithResolvers<Outcome> = Promise.withResolvers()
  /** Between `listening` and `goOn`. */
  #isListening = false
  #held: readonly ClientHandshakeEvent[] = []

  /** Starts; `received` are octets of the proxy that were read before. */
  constructor(connection: Connection, handshake: ClientHandshake, received: Uint8Array, hooks: HandshakeHooks) {
    this.#connection = connection
    this.#handshake = handshake
    this.#hooks = hooks
    this.#early = hooks.earlyData
    this.#take(handshake.start())
    if (!this.#isOver) connection.read(this)
    if (!this.#isOver && received.length > 0) this.onOctets(received)
  }

  /** What it runs over. */
  get connection(): Connection {
    return this.#connection
  }

  get result(): Promise<Outcome> {
    return this.#waiting.promise
  }

  /** After `listening`: the same run goes on to the second reply. */
  goOn(): Step<Outcome> {
    if (!this.#isOver) {
      this.#waiting = Promise.withResolvers()
      this.#isListening = false
      this.#notePhase()
      this.#connection.resume()
      // The second reply may have come glued to the first one.
      this.#take(this.#held)
    }
    return this
  }

  cancel(): void {
    this.#refuse(failure('aborted', 'us'))
  }

  onOctets(octets: Uint8Array): void {
    this.#take(this.#handshake.receive(octets))
  }

  onEnd(): void {
    this.#take(this.#handshake.endOfStream())
  }

  onClose(cause: CloseCause): void {
    const errno = cause === 'reset' ? { errno: 'ECONNRESET' } : {}
    this.#refuse({ ...failure('truncated', 'server'), ...errno })
  }

  #take(events: readonly ClientHandshakeEvent[]): void {
    for (const [index, event] of events.entries()) {
      if (this.#isOver) return
      if (event.kind === 'listening') {
        // Nothing more is read until somebody asks for the second reply; what came with the first one waits.
        this.#connection.pause()
        this.#isListening = true
        this.#held = events.slice(index + 1)
        this.#waiting.resolve({ kind: 'listening', bound: event.bound })
        return
      }
      this.#takeOne(event)
    }
    this.#notePhase()
  }

  #takeOne(event: Exclude<ClientHandshakeEvent, { kind: 'listening' }>): void {
    switch (event.kind) {
      case 'send':
        this.#connection.write(event.octets)
        return
      case 'prompt':
        void this.#ask(event.text)
        return
      case 'established':
        this.#grant(event.bound)
        return
      case 'failed':
        this.#refuse(event.failure)
    }
  }

  #notePhase(): void {
    if (this.#isOver) return
    const phase = PHASES[this.#handshake.phase]
    if (phase === this.#phase) return
    this.#phase = phase
    this.#hooks.onPhase(phase)
    if (phase === 'request' && this.#early !== undefined) {
      const { protection } = this.#handshake
      this.#connection.write(protection?.protect(this.#early) ?? this.#early)
      this.#early = undefined
    }
  }

  async #ask(text: Uint8Array): Promise<void> {
    this.#notePhase()
    const answer = await this.#hooks.prompt?.(text).catch(() => undefined)
    if (this.#isOver) return
    if (answer !== undefined) this.#take(this.#handshake.respond(answer))
    else this.#refuse(failure('auth_rejected', 'us', 'the proxy asks a question, and nobody answers'))
  }

  #grant(bound: Destination): void {
    this.#isOver = true
    this.#connection.pause()
    const { protection } = this.#handshake
    if (this.#early !== undefined) this.#connection.write(protection?.protect(this.#early) ?? this.#early)
    const connection = protection ? new ProtectedConnection(this.#connection, protection) : this.#connection
    const early = this.#handshake.takeRemainder()
    this.#waiting.resolve({ kind: 'granted', connection, early, bound, ...(protection && { protection }) })
  }

  #refuse(why: Failure): void {
    if (this.#isOver) return
    this.#isOver = true
    const { failedIn } = this.#handshake
    const phase = failedIn === undefined ? this.#phase : PHASES[failedIn]
    this.#connection.destroy()
    const refused: Refused = { kind: 'refused', failure: why, phase }
    this.#waiting.resolve(refused)
    // Between the two replies to BIND nobody waits; the one who asks next shall hear it.
    if (this.#isListening) this.#waiting = settled(refused)
  }
}

function settled(outcome: Outcome): PromiseWithResolvers<Outcome> {
  const made = Promise.withResolvers<Outcome>()
  made.resolve(outcome)
  return made
}

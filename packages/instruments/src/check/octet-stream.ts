/**
 * One TCP connection of a probe: sends any octets, waits for octets or for the end with a time limit, and has all of it
 * taken down. Knows nothing of SOCKS.
 */
import type { Socket } from 'node:net'
import { Finding } from './finding.ts'
import type { Line, Masked } from './transcript.ts'

/** How the other side stands: still open, finished (FIN), or gone (RST). */
export type Ending = 'open' | 'fin' | 'reset'

const ENDING_TEXT: { readonly [E in Ending]: string } = { open: 'nothing', fin: 'FIN', reset: 'RST' }

export class OctetStream {
  readonly line: Line
  /** `ADDRESS:PORT` of this end. */
  readonly localPlace: string
  readonly #socket: Socket
  /** The TCP socket, which is another one inside TLS. */
  readonly #tcp: Socket
  readonly #patienceMs: number
  #inbox: Buffer = Buffer.alloc(0)
  #ending: Ending = 'open'
  #wake: (() => void) | undefined

  /** `socket` is connected, and was made with `allowHalfOpen`; inside TLS `tcp` is what carries it. */
  constructor(socket: Socket, line: Line, patienceMs: number, tcp: Socket = socket) {
    this.#socket = socket
    this.#tcp = tcp
    this.line = line
    this.#patienceMs = patienceMs
    const host = socket.localAddress ?? ''
    this.localPlace = `${host.includes(':') ? `[${host}]` : host}:${socket.localPort ?? 0}`
    socket.setNoDelay(true)
    socket.on('data', (octets: Buffer) => {
      line.octets('received', octets)
      this.#inbox = Buffer.concat([this.#inbox, octets])
      this.#wake?.()
    })
    socket.on('end', () => this.#end('fin'))
    // EPIPE and its like come after the other side is gone.
    socket.on('error', () => this.#end('reset'))
    socket.on('close', () => this.#end('fin'))
  }

  get ending(): Ending {
    return this.#ending
  }

  /** Octets that have come and were not taken. */
  get waiting(): Uint8Array {
    return this.#inbox
  }

  send(octets: Uint8Array, note?: string, masked?: Masked): void {
    this.line.octets('sent', octets, note, masked)
    if (this.#socket.writable) this.#socket.write(octets)
  }

  /** Each octet in a segment of its own, as far as TCP allows: the next goes when the kernel has taken the last. */
  async sendOneByOne(octets: Uint8Array, note?: string): Promise<void> {
    for (const [index, octet] of octets.entries()) {
      this.send(Uint8Array.of(octet), index === 0 ? note : undefined)
      await pause(1)
    }
  }

  /** Exactly `count` octets. A finding when they do not come; `what` names them. */
  async read(count: number, what: string, limitMs: number = this.#patienceMs): Promise<Uint8Array> {
    await this.until(() => this.#inbox.length >= count, limitMs)
    if (this.#inbox.length < count) throw this.missing(what, limitMs)
    return this.take(count)
  }

  /** Takes octets that have come. */
  take(count: number): Uint8Array {
    const taken = this.#inbox.subarray(0, count)
    this.#inbox = this.#inbox.subarray(count)
    return taken
  }

  /** Everything up to the end of the stream, or what has come when the time is over. */
  async readToEnd(limitMs: number = this.#patienceMs): Promise<Uint8Array> {
    await this.until(() => this.#ending !== 'open', limitMs)
    return this.take(this.#inbox.length)
  }

  /** How the other side ended within the time; `open` when it did not. */
  async end(limitMs: number): Promise<Ending> {
    await this.until(() => this.#ending !== 'open', limitMs)
    return this.#ending
  }

  /** Resolves when `holds` after anything that came, or when the time is over. */
  async until(holds: () => boolean, limitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, limitMs)
    this.#wake = () => {
      if (holds() || this.#ending !== 'open') resolve()
    }
    this.#wake()
    await promise
    clearTimeout(timer)
    this.#wake = undefined
  }

  /** The finding that `what` did not come: what came in its place. */
  missing(what: string, limitMs: number): Finding {
    const waited = `${limitMs / 1000} s`
    const came = this.#inbox.length === 0 ? '' : `${this.#inbox.toString('hex', 0, 32)} and then `
    const end = this.#ending === 'open' ? `nothing in ${waited}` : ENDING_TEXT[this.#ending]
    if (this.#ending === 'open') this.line.event('gave-up', `waited ${waited} for ${what}`)
    return new Finding(what, came + end)
  }

  /** Sends FIN; the other direction stays open. */
  finish(): void {
    this.line.event('fin-sent')
    this.#socket.end()
  }

  /** Sends RST. */
  reset(): void {
    this.line.event('reset-sent')
    this.#tcp.resetAndDestroy()
  }

  /** Stops taking octets, so that the sender has to wait. */
  stall(): void {
    this.#socket.pause()
  }

  /** Closes without a word in the transcript: the case is over. */
  dispose(): void {
    this.#socket.destroy()
  }

  #end(ending: Ending): void {
    if (this.#ending !== 'open' && !(this.#ending === 'fin' && ending === 'reset')) return
    if (this.#socket.destroyed && ending === 'fin' && this.#ending === 'fin') return
    this.#ending = ending
    this.line.event(ending === 'fin' ? 'fin-received' : 'reset-received')
    this.#wake?.()
  }
}

/** Lets so many milliseconds go by. */
export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

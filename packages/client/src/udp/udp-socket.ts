/** Datagrams along a route, in the shape of `node:dgram`. Knows no header: that is the path's. */
import { EventEmitter } from 'node:events'
import type { Resolver } from '@socksmith/engine'
import { type Destination, formatAddress } from '@socksmith/protocol'
import { type ViaOptions, dialOptions, errorOf, routeOf, untilAborted } from '../connect.ts'
import { defaultContext } from '../context.ts'
import { toDestination } from '../destination.ts'
import { resolveFailure } from '../dial/route-failure.ts'
import { type RouteFailure, SocksError, invalid } from '../socks-error.ts'
import { type OpenPath, openUdpPath } from './open-path.ts'

/** Messages that wait for somebody who iterates; the oldest is dropped for a newer one, as UDP may. */
const WAITING_MAX = 1_024

/** Where a message came from, as the last server says; it may be a name. */
export interface UdpSender {
  readonly address: string
  readonly family: 'IPv4' | 'IPv6' | 'domain'
  readonly port: number
  /** Octets of the message. */
  readonly size: number
}

/** What an iteration gives. */
export type UdpMessage = readonly [message: Buffer, sender: UdpSender]

interface UdpEvents {
  message: [message: Buffer, sender: UdpSender]
  /** With why, when it was not {@link SocksUdpSocket.close}. */
  close: [why: SocksError | undefined]
  error: [why: SocksError]
}

/** What can be sent: octets, text in UTF-8, or parts that make one datagram. */
export type UdpData = Uint8Array | string | readonly (Uint8Array | string)[]

type SendCallback = (error: SocksError | null, octets: number) => void

/**
 * Opens a way for datagrams. It ends with the control connection: then `close` tells why.
 *
 * ```ts
 * const socket = await createUdpSocket({ via: 'socks5h://127.0.0.1:1080' })
 * socket.send(question, 53, 'dns.example')
 * for await (const [answer, sender] of socket) console.log(sender.address, answer.length)
 * ```
 */
export async function createUdpSocket(options: ViaOptions = {}): Promise<SocksUdpSocket> {
  const { engine, resolver } = defaultContext()
  const using = { resolver, ...dialOptions(options) }
  const events = new PathEvents()
  const opened = await untilAborted(openUdpPath(engine, routeOf(options.via), events, using), options.signal)
  if ('code' in opened) throw errorOf(opened, options.signal)
  return new SocksUdpSocket(opened, using.resolver, events)
}

/** What the path tells, for the socket that is made once there is a path. */
class PathEvents {
  onMessage: (data: Uint8Array, from: Destination) => void = () => {}
  onEnd: (why: SocksError) => void = () => {}

  onDatagram(data: Uint8Array, from: Destination): void {
    this.onMessage(data, from)
  }

  onClose(why: RouteFailure): void {
    // Not inside the engine's call, and never before the one who opened it has the socket.
    setImmediate(() => this.onEnd(new SocksError(why)))
  }
}

/** Made by {@link createUdpSocket}. */
export class SocksUdpSocket extends EventEmitter<UdpEvents> implements AsyncDisposable {
  readonly #open: OpenPath
  readonly #resolver: Resolver
  #peer: Destination | undefined
  #isClosed = false
  #why: SocksError | undefined
  #iterations = new Set<Iteration>()

  constructor(open: OpenPath, resolver: Resolver, events: PathEvents) {
    super()
    this.#open = open
    this.#resolver = resolver
    events.onMessage = (data, from) => this.#receive(data, from)
    events.onEnd = why => this.#end(why)
  }

  /** Octets that fit into one datagram to an IP address, less the headers of all servers on the way. */
  get maxPayload(): number {
    return this.#open.path.room(16)
  }

  /** Where the first server takes our datagrams; `undefined` on a direct route. */
  get relay(): { readonly address: string; readonly port: number } | undefined {
    const { relay } = this.#open.path
    return relay && { address: formatAddress(relay.address), port: relay.port }
  }

  /** Our own end, as in `node:dgram`. */
  address(): { readonly address: string; readonly family: 'IPv4' | 'IPv6'; readonly port: number } {
    const { local } = this.#open.path
    if (local === undefined) throw invalid('the socket is closed')
    const family = local.address.type === 'ipv4' ? 'IPv4' : 'IPv6'
    return { address: formatAddress(local.address), family, port: local.port }
  }

  /** From now on messages go to and come from this one only. */
  connect(port: number, host: string = '127.0.0.1'): void {
    this.#peer = toDestination(host, port)
  }

  disconnect(): void {
    this.#peer = undefined
  }

  /**
   * As in `node:dgram`: `(message, port, host, callback?)`, `(message, offset, length, port, host, callback?)`, and without
   * port and host after {@link SocksUdpSocket.connect}. The callback says whether it was sent, never whether it arrived.
   */
  send(message: UdpData, callback?: SendCallback): void
  send(message: UdpData, port: number, host?: string, callback?: SendCallback): void
  send(message: UdpData, offset: number, length: number, port: number, host?: string, callback?: SendCallback): void
  send(message: UdpData, ...rest: readonly unknown[]): void {
    const callback = rest.findLast(one => typeof one === 'function') as SendCallback | undefined
    const given = rest.filter(one => typeof one !== 'function' && one !== undefined) as (number | string)[]
    const whole = bufferOf(message)
    const isPart = typeof given[1] === 'number'
    const [offset, length] = isPart ? (given.splice(0, 2) as [number, number]) : [0, whole.length]
    const [port, host = '127.0.0.1'] = given as [number | undefined, string | undefined]
    const data = whole.subarray(offset, offset + length)
    const to = port === undefined ? this.#peer : toDestination(host, port)
    void this.#send(data, to).then(error => {
      if (callback !== undefined) process.nextTick(callback, error ?? null, error === undefined ? data.length : 0)
      else if (error !== undefined) process.nextTick(() => this.emit('error', error))
    })
  }

  /** Ends the association. */
  close(callback?: () => void): this {
    if (callback !== undefined) this.once('close', callback)
    if (!this.#isClosed) setImmediate(() => this.#end(undefined))
    this.#isClosed = true
    this.#open.path.close()
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close()
    return Promise.resolve()
  }

  /** The messages from now on. Ends when the socket is closed, with an error when it was not closed by us. */
  [Symbol.asyncIterator](): AsyncIterableIterator<UdpMessage> {
    const iteration = new Iteration(() => this.#iterations.delete(iteration))
    if (this.#isClosed) iteration.end(this.#why)
    else this.#iterations.add(iteration)
    return iteration
  }

  #receive(data: Uint8Array, from: Destination): void {
    if (this.#isClosed) return
    const peer = this.#peer
    if (peer !== undefined && !isSame(peer, from)) return
    const { type } = from.address
    const family = type === 'ipv4' ? 'IPv4' : type === 'ipv6' ? 'IPv6' : 'domain'
    const sender = { address: formatAddress(from.address), family, port: from.port, size: data.length } as const
    const message = Buffer.from(data)
    this.emit('message', message, sender)
    for (const iteration of this.#iterations) iteration.offer([message, sender])
  }

  #end(why: SocksError | undefined): void {
    if (this.#why !== undefined) return
    this.#isClosed = true
    this.#why = why
    for (const iteration of this.#iterations) iteration.end(why)
    this.#iterations.clear()
    this.emit('close', why)
  }

  /** Sends, or says why not. */
  async #send(data: Uint8Array, to: Destination | undefined): Promise<SocksError | undefined> {
    if (to === undefined) return invalid('a datagram needs a port and a host')
    const destination = this.#open.resolve === 'here' ? await this.#resolved(to) : to
    if (destination instanceof SocksError) return destination
    if (this.#isClosed) return this.#why ?? invalid('the socket is closed')
    if (this.#open.path.send(data, destination)) return undefined
    const detail = `${data.length} octets do not fit into one datagram along this route`
    const failure = { code: 'too_large', blame: 'us', errno: 'EMSGSIZE', detail } as const
    return new SocksError({ code: 'SOCKS_BAD_ARGUMENT', failure, phase: 'relay' })
  }

  async #resolved(to: Destination): Promise<Destination | SocksError> {
    if (to.address.type !== 'domain') return to
    const found = await this.#resolver.resolve(to.address.name)
    if ('code' in found) return new SocksError(resolveFailure(found))
    // The socket of a direct route is of IPv4, and so are most servers.
    const address = found.find(one => one.type === 'ipv4') ?? found[0]
    return address === undefined ? invalid('the name has no address') : { address, port: to.port }
  }
}

/** One `for await` over messages. */
class Iteration implements AsyncIterableIterator<UdpMessage> {
  readonly #forget: () => void
  readonly #messages: UdpMessage[] = []
  #waiting: PromiseWithResolvers<IteratorResult<UdpMessage>>[] = []
  #isOver = false
  #why: SocksError | undefined

  constructor(forget: () => void) {
    this.#forget = forget
  }

  offer(message: UdpMessage): void {
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) return waiting.resolve({ value: message, done: false })
    if (this.#messages.length >= WAITING_MAX) this.#messages.shift()
    this.#messages.push(message)
  }

  end(why: SocksError | undefined): void {
    this.#isOver = true
    this.#why = why
    for (const waiting of this.#waiting.splice(0)) {
      if (why === undefined) waiting.resolve({ value: undefined, done: true })
      else waiting.reject(why)
    }
  }

  next(): Promise<IteratorResult<UdpMessage>> {
    const message = this.#messages.shift()
    if (message !== undefined) return Promise.resolve({ value: message, done: false })
    if (this.#isOver) {
      const why = this.#why
      this.#why = undefined
      return why === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(why)
    }
    const waiting = Promise.withResolvers<IteratorResult<UdpMessage>>()
    this.#waiting.push(waiting)
    return waiting.promise
  }

  return(): Promise<IteratorResult<UdpMessage>> {
    this.#forget()
    this.end(undefined)
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

function bufferOf(message: UdpData): Buffer {
  if (typeof message === 'string') return Buffer.from(message)
  if (message instanceof Uint8Array) return Buffer.from(message)
  return Buffer.concat(message.map(bufferOf))
}

// A peer that was named answers from an address that only the last server knows: then the port must do.
function isSame(peer: Destination, from: Destination): boolean {
  if (peer.port !== from.port) return false
  return peer.address.type === 'domain' || formatAddress(peer.address) === formatAddress(from.address)
}

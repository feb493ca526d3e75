/**
 * Clients that behave, all the time: every octet that comes back is held against the one that was sent. They are the measure
 * of every fault. Knows no fault but by the windows in which some failures are no wonder.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { PIECE_OCTETS_MAX, firstWrong, patternOctets, wrongPieces } from '../simulation/world/pattern.ts'
import type { Random } from '../simulation/world/random.ts'
import {
  COMMAND,
  Lost,
  type Login,
  type ProxyPorts,
  Refused,
  type Way,
  closed,
  datagramHeader,
  dial,
  greet,
  openTunnel,
  reply,
  request,
  restOf,
  take,
} from './client.ts'
import type { TargetPorts } from './target-words.ts'

/** Lanes of short exchanges, one after the other in each. */
const LANES = 16
/** Tunnels that stay, and say something now and then. */
const LONG_TUNNELS = 16
const LONG_EVERY_MS = 250
/** Octets of an exchange: mostly few, at times enough for splices. */
const EXCHANGE_OCTETS_MAX = 400_000
const DATAGRAM_OCTETS_MAX = 1_400
/** A datagram may be lost, for the kernel's buffers are full at times; it is asked for again after this. */
const DATAGRAM_MS = 500
const DATAGRAM_TRIES = 60
/** A question for a name is a datagram too. */
const NAME_TRIES = 4
/** Longer than any exchange takes on a machine that is busy with ten other things. */
const EXCHANGE_MS_MAX = 60_000

/** What a fault does to others: newcomers are not let in, tunnels are lost, names are not found. */
export type Harm = 'newcomers' | 'tunnels' | 'names'

const KINDS: Readonly<Record<Way | 'bind' | 'udp', number>> = {
  socks4: 2,
  socks4a: 2,
  socks5: 4,
  'socks5-name': 2,
  'socks5-login': 2,
  http: 2,
  'http-login': 1,
  bind: 1,
  udp: 2,
}

export interface HonestTo {
  readonly ports: ProxyPorts
  readonly targets: TargetPorts
  readonly login: Login
}

export class Honest {
  readonly #to: HonestTo
  readonly #random: Random
  readonly #windows: { readonly harm: Harm; readonly from: number; to: number }[] = []
  readonly #running: Promise<void>[] = []
  /** Milliseconds from the first octet to an open tunnel. */
  readonly #openMs: number[] = []
  #isStopping = false
  #names = 0
  #lastDoneMs = performance.now()
  exchanges = 0
  octets = 0
  wrongOctets = 0
  forgiven = 0
  namesAskedAgain = 0
  /** Milliseconds in which no exchange at all came to its end. */
  longestGapMs = 0
  readonly failures: string[] = []

  constructor(to: HonestTo, random: Random) {
    this.#to = to
    this.#random = random
  }

  start(): void {
    this.#isStopping = false
    this.#lastDoneMs = performance.now()
    for (let lane = 0; lane < LANES; lane++) this.#running.push(this.#lane())
    for (let key = 0; key < LONG_TUNNELS; key++) this.#running.push(this.#long(key))
  }

  /** What still runs comes to its end; no failure is hidden by that. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#running.splice(0))
  }

  /** While the fault runs, these failures are no wonder. Wrong octets are, always. */
  async expecting(harms: readonly Harm[], fault: () => Promise<void>): Promise<void> {
    const windows = harms.map(harm => ({ harm, from: performance.now(), to: Infinity }))
    this.#windows.push(...windows)
    try {
      await fault()
    } finally {
      for (const window of windows) window.to = performance.now()
    }
  }

  /** 99 of 100 tunnels were open after so many milliseconds. */
  get openP99Ms(): number {
    return this.#openMs.toSorted((a, b) => a - b)[Math.floor(this.#openMs.length * 0.99)] ?? 0
  }

  async #lane(): Promise<void> {
    while (!this.#isStopping) {
      const kind = this.#random.weighted(KINDS)
      await this.#attempt(kind, () => this.#exchange(kind))
    }
  }

  async #exchange(kind: keyof typeof KINDS): Promise<void> {
    if (kind === 'bind') await this.#bind()
    else if (kind === 'udp') await this.#datagrams()
    else await this.#echo(kind)
  }

  async #attempt(kind: string, work: () => Promise<void>): Promise<void> {
    const startedAt = performance.now()
    const { promise: late, reject } = Promise.withResolvers<never>()
    // A long one takes as long as the soak.
    const timer =
      kind === 'long' ? undefined : setTimeout(() => reject(new Error('it takes too long')), EXCHANGE_MS_MAX)
    try {
      await Promise.race([work(), late])
      this.exchanges++
    } catch (error) {
      if (this.#isForgiven(kind, error, startedAt)) this.forgiven++
      else this.failures.push(`${kind}: ${String(error)} after ${Math.round(performance.now() - startedAt)} ms`)
      // Where nothing works, nobody is helped by trying in a circle.
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    clearTimeout(timer)
    const nowMs = performance.now()
    if (!this.#isStopping && this.#windows.every(window => window.to < this.#lastDoneMs)) {
      this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.#lastDoneMs)
    }
    this.#lastDoneMs = nowMs
  }

  #isForgiven(kind: string, error: unknown, since: number): boolean {
    return this.#windows.some(({ harm, to }) => {
      if (to < since) return false
      if (harm === 'names') return isNamed(kind) && error instanceof Refused
      return error instanceof Lost || (harm === 'newcomers' && error instanceof Refused)
    })
  }

  async #echo(way: Way): Promise<void> {
    const startedAt = performance.now()
    const socket = await this.#open(way)
    this.#openMs.push(performance.now() - startedAt)
    await this.#thereAndBack(socket, this.#random.size(EXCHANGE_OCTETS_MAX), this.#random.between(0, 9_999))
  }

  async #open(way: Way): Promise<Socket> {
    for (let tries = 1; ; tries++) {
      // Each name is new: what was answered once would come from the cache.
      const target = { port: this.#to.targets.echo, name: `n${++this.#names}.good.test` }
      try {
        return await openTunnel(this.#to.ports, way, target, { login: this.#to.login })
      } catch (error) {
        if (!isNamed(way) || !(error instanceof Refused) || tries === NAME_TRIES) throw error
        this.namesAskedAgain++
      }
    }
  }

  /** Sends so many octets and FIN; they must come back, and FIN behind them. */
  async #thereAndBack(socket: Socket, count: number, key: number): Promise<void> {
    let received = 0
    socket.on('data', (chunk: Buffer) => {
      this.wrongOctets += wrongPieces(key, received, chunk)
      received += chunk.length
    })
    const end = Promise.race([once(socket, 'end').catch(() => {}), closed(socket)])
    for (let sent = 0; sent < count && !socket.destroyed;) {
      const octets = patternOctets(key, sent, Math.min(PIECE_OCTETS_MAX, count - sent))
      sent += octets.length
      if (!socket.write(octets)) await Promise.race([once(socket, 'drain').catch(() => {}), closed(socket)])
    }
    socket.end()
    await end
    if (!socket.readableEnded) throw new Lost(`reset after ${received} of ${count} octets`)
    if (received !== count) {
      this.wrongOctets += Math.abs(count - received)
      throw new Error(`the end came after ${received} of ${count} octets`)
    }
    this.octets += received
    socket.destroy()
  }

  async #long(key: number): Promise<void> {
    while (!this.#isStopping) await this.#attempt('long', () => this.#keepOne(key))
  }

  async #keepOne(key: number): Promise<void> {
    const socket = await openTunnel(this.#to.ports, 'socks5', { port: this.#to.targets.echo })
    let offset = 0
    while (!this.#isStopping) {
      const octets = patternOctets(key, offset, 500)
      socket.write(octets)
      const back = await take(socket, octets.length)
      if (firstWrong(key, offset, back) !== -1) this.wrongOctets++
      offset += octets.length
      this.octets += octets.length
      await new Promise(resolve => setTimeout(resolve, LONG_EVERY_MS))
    }
    socket.end()
    await restOf(socket)
    socket.destroy()
  }

  async #bind(): Promise<void> {
    const control = await dial(this.#to.ports.open)
    try {
      await greet(control)
      control.write(request(COMMAND.bind, { port: 0 }))
      const port = await reply(control)
      const peer = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      peer.on('error', () => {})
      peer.on('end', () => peer.end())
      peer.pipe(peer)
      const turnedAway = closed(peer).then(() => {
        throw new Lost('the peer was turned away')
      })
      await Promise.race([reply(control), turnedAway])
      turnedAway.catch(() => {})
      await this.#thereAndBack(control, this.#random.size(20_000), this.#random.between(0, 9_999))
    } finally {
      control.destroy()
    }
  }

  async #datagrams(): Promise<void> {
    const control = await dial(this.#to.ports.open)
    const socket = createSocket('udp4')
    try {
      await greet(control)
      control.write(request(COMMAND.udpAssociate, { port: 0 }))
      const port = await reply(control)
      const header = datagramHeader(this.#to.targets.datagrams)
      for (let i = this.#random.between(1, 10); i > 0; i--) {
        const key = this.#random.between(0, 9_999)
        const octets = patternOctets(key, 0, this.#random.size(DATAGRAM_OCTETS_MAX))
        await this.#datagram(control, socket, port, header, octets, key)
      }
    } finally {
      socket.close()
      control.destroy()
    }
  }

  async #datagram(
    control: Socket,
    socket: ReturnType<typeof createSocket>,
    port: number,
    header: Buffer,
    octets: Uint8Array,
    key: number,
  ): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<Buffer>()
    const onMessage = (answer: Buffer): void => {
      // An answer to the one before may come late, after it was asked for again.
      if (answer.length === header.length + octets.length && firstWrong(key, 0, answer.subarray(header.length)) === -1)
        resolve(answer)
    }
    socket.on('message', onMessage)
    try {
      for (let tries = 0; tries < DATAGRAM_TRIES; tries++) {
        socket.send(Buffer.concat([header, octets]), port, '127.0.0.1')
        const { promise: late, resolve: isLate } = Promise.withResolvers<'late'>()
        const timer = setTimeout(() => isLate('late'), DATAGRAM_MS)
        const came = await Promise.race([promise, late])
        clearTimeout(timer)
        if (came !== 'late') {
          this.octets += octets.length
          return
        }
        if (control.closed || control.readableEnded) break
      }
    } finally {
      socket.off('message', onMessage)
    }
    throw new Lost('the datagram never came back')
  }
}

/** Its name is for the server to resolve. */
function isNamed(kind: string): boolean {
  return kind === 'socks4a' || kind === 'socks5-name' || kind === 'http' || kind === 'http-login'
}

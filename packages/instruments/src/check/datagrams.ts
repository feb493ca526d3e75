/** A UDP socket of a probe: sends any octets, waits for datagrams, and has them taken down. Knows nothing of SOCKS. */
import { type Socket, createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type Endpoint, type IpAddress, formatAddress, formatDestination, parseIp } from '@socksmith/protocol'
import { Finding } from './finding.ts'
import type { Line } from './transcript.ts'

export interface Datagram {
  readonly octets: Uint8Array
  readonly from: Endpoint
}

export class Datagrams {
  readonly line: Line
  readonly local: Endpoint
  readonly #socket: Socket
  readonly #inbox: Datagram[] = []
  #wake: (() => void) | undefined

  constructor(socket: Socket, local: Endpoint, line: Line) {
    this.#socket = socket
    this.local = local
    this.line = line
    socket.on('message', (octets, { address, port }) => {
      const from = { address: parseIp(address.replace(/%.*/, '')) as IpAddress, port }
      line.datagram('received', octets, from)
      this.#inbox.push({ octets, from })
      this.#wake?.()
    })
    // ECONNREFUSED and its like: for a probe it is silence, which it sees by waiting.
    socket.on('error', () => {})
  }

  /** `relayOf`: the connection whose reply told `to`. */
  send(octets: Uint8Array, to: Endpoint, relayOf?: number, note?: string): void {
    // The system would refuse it without a word, and no answer would look like silence of the other end.
    if (to.address.type !== this.local.address.type) {
      throw new Finding(`an address that ${formatAddress(this.local.address)} can write to`, formatDestination(to))
    }
    this.line.datagram('sent', octets, to, relayOf, note)
    this.#socket.send(octets, to.port, formatAddress(to.address), () => {})
  }

  /** As `send`; whether the system took it: what was never sent, nobody can drop. */
  sent(octets: Uint8Array, to: Endpoint, relayOf?: number, note?: string): Promise<boolean> {
    if (to.address.type !== this.local.address.type) return Promise.resolve(false)
    this.line.datagram('sent', octets, to, relayOf, note)
    return new Promise(resolve => {
      this.#socket.send(octets, to.port, formatAddress(to.address), error => resolve(error === null))
    })
  }

  /** The next datagram; `undefined` when none comes in time. */
  async receive(limitMs: number): Promise<Datagram | undefined> {
    if (this.#inbox.length === 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, limitMs)
      this.#wake = resolve
      await promise
      clearTimeout(timer)
      this.#wake = undefined
    }
    const datagram = this.#inbox.shift()
    if (datagram === undefined) this.line.event('gave-up', `waited ${limitMs / 1000} s for a datagram`)
    return datagram
  }

  dispose(): void {
    this.#socket.close()
  }
}

/** A socket at `address`, at any port. */
export async function openDatagramSocket(address: IpAddress): Promise<{ socket: Socket; local: Endpoint }> {
  const socket = createSocket(address.type === 'ipv4' ? 'udp4' : 'udp6')
  try {
    socket.bind(0, formatAddress(address))
    await once(socket, 'listening')
  } catch (error) {
    socket.close()
    throw new Finding(`a datagram socket at ${formatAddress(address)}`, (error as NodeJS.ErrnoException).code ?? '')
  }
  return { socket, local: { address, port: socket.address().port } }
}

/** The address of this host from which the system sends to `peer`. Nothing is sent. */
export async function addressTowards(peer: IpAddress): Promise<IpAddress> {
  const socket = createSocket(peer.type === 'ipv4' ? 'udp4' : 'udp6')
  try {
    socket.connect(ANY_PORT, formatAddress(peer))
    await once(socket, 'connect')
    return parseIp(socket.address().address.replace(/%.*/, '')) as IpAddress
  } finally {
    socket.close()
  }
}

/** Only the way to the host counts. */
const ANY_PORT = 9

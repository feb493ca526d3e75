/** The rogue's UDP ASSOCIATE: one relay socket for each association, one socket towards the targets for each family. */
import { type Socket as DatagramSocket, type RemoteInfo, createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type Endpoint, type Place, hostOctets, hostText, plain, portOctets, resolve, successOctets } from './place.ts'
import type { Reader } from './reader.ts'
import type { Rogue } from './terms.ts'

export async function serveUdp(rogue: Rogue, control: Socket, reader: Reader, declared: Place): Promise<void> {
  reader.isServed = true
  const at = rogue.options.host ?? '127.0.0.1'
  const relay = createSocket(at.includes(':') ? 'udp6' : 'udp4')
  relay.bind(0, at)
  await once(relay, 'listening')
  Association.open(rogue, control, relay, declared)
  reader.release()
  control.resume()
  const host = rogue.has('relay-at-zeros') ? '0.0.0.0' : at
  control.write(successOctets(rogue, { host, port: rogue.has('relay-port-zero') ? 0 : relay.address().port }))
}

class Association {
  readonly #rogue: Rogue
  readonly #control: Socket
  readonly #relay: DatagramSocket
  readonly #declared: Place
  readonly #outside = new Map<'udp4' | 'udp6', DatagramSocket>()
  readonly #contacted = new Set<string>()
  #client: Endpoint | undefined
  #firstTarget: { readonly host: string; readonly port: number } | undefined
  #isOver = false

  static open(rogue: Rogue, control: Socket, relay: DatagramSocket, declared: Place): Association {
    return new Association(rogue, control, relay, declared)
  }

  constructor(rogue: Rogue, control: Socket, relay: DatagramSocket, declared: Place) {
    this.#rogue = rogue
    this.#control = control
    this.#relay = relay
    this.#declared = declared
    rogue.sockets.add({ destroy: () => this.end() })
    relay.on('message', (octets, from) => void this.#fromClient(octets, from))
    if (!rogue.has('udp-outlives-tcp')) {
      control.on('close', () => this.end())
      control.on('end', () => this.end())
    }
    control.on('data', () => rogue.has('udp-ends-on-octets') && this.end())
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#relay.close()
    for (const socket of this.#outside.values()) socket.close()
    this.#control.destroy()
  }

  async #fromClient(octets: Buffer, from: RemoteInfo): Promise<void> {
    const rogue = this.#rogue
    if (!this.#mayWrite(from)) return
    const parsed = parse(rogue, octets)
    if (parsed === undefined) return void (rogue.has('udp-ends-on-bad') && this.end())
    const { place, data } = parsed
    if (rogue.has('udp-no-names') && place.kind === 'name') return
    if (rogue.has('udp-dst-is-target') && this.#declared.port !== 0 && this.#declared.port !== place.port) return
    if (rogue.has('udp-no-empty') && data.length === 0) return
    const hosts = await resolve(rogue, place)
    const host = typeof hosts === 'number' ? undefined : (hosts.find(one => !one.includes(':')) ?? hosts[0])
    if (host === undefined || this.#isOver) return
    if (host.includes(':') && rogue.has('udp-no-ipv6')) return
    this.#firstTarget ??= { host, port: place.port }
    this.#contacted.add(`${plain(host)} ${place.port}`)
    const outside = await this.#outsideFor(host)
    if (rogue.has('udp-ends-on-refused')) this.#tryOut(host, place.port, data)
    outside.send(data, place.port, host, () => {})
    if (rogue.has('udp-closes-tcp')) this.#control.end()
  }

  #mayWrite({ address: host, port }: RemoteInfo): boolean {
    const rogue = this.#rogue
    const from = { host, port }
    rogue.shared.udpClient = from
    if (rogue.has('udp-first-sender')) {
      this.#client ??= from
      return this.#client.host === host && this.#client.port === port
    }
    if (host !== this.#control.remoteAddress) return rogue.has('udp-any-source')
    if (rogue.has('udp-last-sender')) this.#client = from
    this.#client ??= from
    return this.#client.port === port
  }

  async #outsideFor(host: string): Promise<DatagramSocket> {
    const family = host.includes(':') ? 'udp6' : 'udp4'
    const known = this.#outside.get(family)
    if (known !== undefined) return known
    const socket = createSocket(family)
    this.#outside.set(family, socket)
    socket.on('message', (octets, from) => this.#fromRemote(octets, from))
    socket.on('error', () => {})
    socket.bind(0, family === 'udp4' ? '127.0.0.1' : '::1')
    await once(socket, 'listening')
    return socket
  }

  #fromRemote(octets: Buffer, from: RemoteInfo): void {
    const rogue = this.#rogue
    const client = rogue.has('udp-one-client') ? rogue.shared.udpClient : this.#client
    if (client === undefined || this.#isOver) return
    if (rogue.has('loses-one-datagram') && !rogue.shared.hasLost) return void (rogue.shared.hasLost = true)
    if (!this.#contacted.has(`${plain(from.address)} ${from.port}`) && !rogue.has('udp-full-cone')) return
    const label =
      rogue.has('udp-labels-first') && this.#firstTarget !== undefined
        ? this.#firstTarget
        : { host: from.address, port: from.port }
    const address = hostOctets(label.host)
    let head = Buffer.from([0, 0, 0, address.length === 4 ? 1 : 4, ...address])
    if (rogue.has('udp-labels-by-name')) head = Buffer.from([0, 0, 0, 3, 9, ...Buffer.from('localhost')])
    if (rogue.has('udp-answers-with-rsv')) head[0] = 0xff
    this.#relay.send(
      Buffer.concat([head, portOctets(label.port), this.#cut(octets)]),
      client.port,
      client.host,
      () => {},
    )
  }

  #cut(octets: Buffer): Buffer {
    if (this.#rogue.has('udp-cut-2048')) return octets.subarray(0, 2_048)
    return this.#rogue.has('udp-cut-16384') ? octets.subarray(0, 16_384) : octets
  }

  /** A connected socket hears that nobody listens; this server ends the association on it. */
  #tryOut(host: string, port: number, data: Buffer): void {
    const socket = createSocket('udp4')
    socket.on('error', () => this.end())
    socket.connect(port, host, () => socket.send(data))
    this.#rogue.sockets.add({ destroy: () => socket.close() })
  }
}

function parse(rogue: Rogue, octets: Buffer): { readonly place: Place; readonly data: Buffer } | undefined {
  if (octets.length < 5) return undefined
  if (octets.readUInt16BE(0) !== 0 && !rogue.has('udp-any-rsv')) return undefined
  if (octets[2] !== 0 && !rogue.has('udp-fragments-as-whole')) return undefined
  const atyp = octets[3] as number
  const at = atyp === 3 ? 5 : 4
  const length = atyp === 1 ? 4 : atyp === 4 ? 16 : atyp === 3 ? (octets[4] as number) : undefined
  if (length === undefined || length === 0 || octets.length < at + length + 2) return undefined
  const port = octets.readUInt16BE(at + length)
  if (port === 0) return undefined
  const address = octets.subarray(at, at + length)
  const place: Place = atyp === 3 ? { kind: 'name', octets: address, port } : { kind: 'ip', octets: address, port }
  return { place, data: octets.subarray(at + length + 2) }
}

/** Of the fault that carries datagrams for everybody: a relay at the number of the TCP port. */
export async function openSharedUdp(port: number): Promise<{ close(): void }> {
  const socket = createSocket('udp4')
  socket.on('message', octets => {
    if (octets.length >= 10)
      socket.send(octets.subarray(10), octets.readUInt16BE(8), hostText(octets.subarray(4, 8)), () => {})
  })
  socket.bind(port, '127.0.0.1')
  await once(socket, 'listening')
  return { close: () => socket.close() }
}

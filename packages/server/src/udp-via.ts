/**
 * The outside of a UDP association whose datagrams go by other SOCKS5 servers: one path in place of sockets, and who may
 * answer through it. Knows no client and no rule.
 */
import { type OpenPath, type PathHandler, type Route, openUdpPath } from '@socksmith/client/route'
import type { DatagramSocket } from '@socksmith/engine'
import {
  type Destination,
  type Endpoint,
  type Failure,
  type IpAddress,
  NO_ENDPOINT,
  formatDestination,
  latin1Text,
  unmapped,
} from '@socksmith/protocol'
import type { ServerContext } from './context.ts'
import { failureOfRoute } from './route-failure.ts'
import { type WayOut, viaOf } from './way-out.ts'

/** A path that is being opened. */
export interface UdpViaOpening {
  readonly result: Promise<UdpVia | Failure>
  cancel(): void
}

/** Opens a path along the route. */
export function openUdpVia(
  { resolver, limits }: ServerContext,
  way: WayOut,
  route: Route,
  handler: PathHandler,
): UdpViaOpening {
  const { engine, traits } = way
  const opening = openUdpPath(engine, route, handler, { resolver, timeoutMs: limits.dialMs, traits })
  const result = opening.result.then(opened =>
    'code' in opened ? failureOfRoute(opened) : new UdpVia(way, opened, limits.udpRemotes),
  )
  return { result, cancel: () => opening.cancel() }
}

export class UdpVia implements DatagramSocket {
  readonly #way: WayOut
  readonly #opened: OpenPath
  readonly #namesMax: number
  readonly #names = new Set<string>()
  readonly #ports = new Set<number>()
  readonly #addresses = new Set<string>()

  constructor(way: WayOut, opened: OpenPath, namesMax: number) {
    this.#way = way
    this.#opened = opened
    this.#namesMax = namesMax
  }

  get local(): Endpoint {
    return this.#opened.path.local ?? NO_ENDPOINT
  }

  /** The way and its proxies, as records name them. */
  get via(): string | undefined {
    return viaOf(this.#way, this.#opened.proxies)
  }

  send(octets: Uint8Array, to: Endpoint): void {
    this.#addresses.add(addressKey(to.address))
    this.#opened.path.send(octets, to)
  }

  /** Whether something was sent to this address by this path: the proxies here must not speak for targets of others. */
  hasContacted(address: IpAddress): boolean {
    return this.#addresses.has(addressKey(address))
  }

  /** Sends to a name that the last proxy resolves; false when there are too many names. */
  sendToName(octets: Uint8Array, to: Destination): boolean {
    const key = formatDestination(to)
    if (!this.#names.has(key)) {
      if (this.#names.size >= this.#namesMax) return false
      this.#names.add(key)
      this.#ports.add(to.port)
    }
    return this.#opened.path.send(octets, to)
  }

  /**
   * Whether this may be the answer of a name that was written to. Which address the name has only the proxy knows, which lets
   * nobody else through: the port has to do.
   */
  mayBeNamed(from: Destination): boolean {
    return from.address.type === 'domain' ? this.#names.has(formatDestination(from)) : this.#ports.has(from.port)
  }

  /** Names that were written to may not answer any more, until they are written to again. */
  forgetNames(): void {
    this.#names.clear()
    this.#ports.clear()
  }

  close(): void {
    this.#opened.path.close()
  }
}

function addressKey(address: IpAddress): string {
  return latin1Text(unmapped(address).octets)
}

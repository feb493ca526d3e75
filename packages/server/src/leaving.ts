/**
 * An engine that leaves as a way says: by its address, interface and mark, and never to the server itself. Whatever is
 * dialled with it, a target or a proxy whose name has just been resolved, cannot leave otherwise.
 */
import type { DatagramSocket, Dialing, Engine, Place, SocketOptions } from '@socksmith/engine'
import {
  ANY_IPV4,
  ANY_IPV6,
  type Endpoint,
  type Failure,
  type IpAddress,
  failure,
  isUnspecified,
} from '@socksmith/protocol'
import { interfaceAddresses } from './interfaces.ts'

/** How to leave. */
export interface Leaving {
  readonly options: SocketOptions
  /** The address to leave by towards a destination; `undefined` is the kernel's choice. */
  readonly sourceFor?: (destination: IpAddress) => IpAddress | Failure | undefined
  /** Why this place must not be connected to. */
  readonly refusalOf?: (place: Place) => Failure | undefined
}

/** The engine with everything that it opens towards the outside opened so. */
export function leavingBy(engine: Engine, leaving: Leaving): Engine {
  const { options } = leaving
  const sourceFor = (address: IpAddress): IpAddress | Failure | undefined => leaving.sourceFor?.(address)
  return {
    name: engine.name,
    clock: engine.clock,
    descriptorsMax: engine.descriptorsMax,
    socketOptions: engine.socketOptions,
    listen: (listening, handler) => engine.listen({ ...listening, ...options }, handler),
    dial(to, dialling) {
      const refusal = leaving.refusalOf?.(to)
      if (refusal !== undefined) return refused(refusal)
      if (to.kind === 'unix') return engine.dial(to, dialling)
      const source = dialling.localAddress ?? sourceFor(to.endpoint.address)
      if (isFailure(source)) return refused(source)
      return engine.dial(to, { ...dialling, ...options, ...(source && { localAddress: source }) })
    },
    openDatagrams(local, handler): Promise<DatagramSocket | Failure> {
      const source = isUnspecified(local.address) ? sourceFor(local.address) : undefined
      if (isFailure(source)) return Promise.resolve(source)
      const from: Endpoint = source === undefined ? local : { ...local, address: source }
      return engine.openDatagrams(from, handler, options)
    },
    facing(destination) {
      const source = sourceFor(destination)
      if (source !== undefined) return Promise.resolve(source)
      if (options.interface === undefined) return engine.facing(destination)
      return Promise.resolve(addressOf(options.interface, destination.type))
    },
    secure: (connection, early, securing) => engine.secure(connection, early, securing),
    secureAsClient: (connection, early, securing) => engine.secureAsClient(connection, early, securing),
    relay: relaying => engine.relay(relaying),
  }
}

/** The first address of an interface; any address of this host when it has none of the family. */
function addressOf(name: string, family: IpAddress['type']): IpAddress | Failure {
  const interfaces = interfaceAddresses()
  if ('code' in interfaces) return interfaces
  const own = interfaces.get(name)?.find(({ type }) => type === family)
  return own ?? (family === 'ipv4' ? ANY_IPV4 : ANY_IPV6)
}

function refused(why: Failure): Dialing {
  return { result: Promise.resolve(why), cancel: () => {} }
}

function isFailure(source: IpAddress | Failure | undefined): source is Failure {
  return source !== undefined && 'code' in source
}

/** A family that a way has no address for. */
export function noSource(name: string, family: IpAddress['type']): Failure {
  const word = family === 'ipv4' ? 'IPv4' : 'IPv6'
  return failure('network_unreachable', 'us', `the way ${name} has no ${word} address to leave by`)
}

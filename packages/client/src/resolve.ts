/** Names to addresses and back without a connection to the target: Tor's RESOLVE and RESOLVE_PTR (socks-extensions). */
import { reverse as systemReverse } from 'node:dns/promises'
import { type Address, type Destination, formatAddress } from '@socksmith/protocol'
import { type ViaOptions, dialVia, routeOf } from './connect.ts'
import { defaultContext } from './context.ts'
import { toAddress, toIp } from './destination.ts'
import { blocked, resolveFailure } from './dial/route-failure.ts'
import { appliedRoute } from './route/choose.ts'
import { SocksError } from './socks-error.ts'

/**
 * The addresses of a name, as the last proxy of the route finds them (Tor, and servers that speak its extension: one
 * address), or as this machine does on a direct route.
 *
 * ```ts
 * const [address] = await resolve('example.com', { via: 'socks5h://127.0.0.1:9050' })
 * ```
 */
export async function resolve(name: string, options: ViaOptions = {}): Promise<readonly string[]> {
  const address = toAddress(name)
  if (address.type !== 'domain') return [formatAddress(address)]
  if (isDirect(address, options)) {
    const found = await (options.resolver ?? defaultContext().resolver).resolve(address.name)
    if ('code' in found) throw new SocksError(resolveFailure(found))
    return found.map(formatAddress)
  }
  return [await ask('resolve', address, options)]
}

/** The names of an address, by RESOLVE_PTR, or as this machine finds them on a direct route. */
export async function reverse(address: string, options: ViaOptions = {}): Promise<readonly string[]> {
  const ip = toIp(address)
  if (!isDirect(ip, options)) return [await ask('resolve-ptr', ip, options)]
  try {
    return await systemReverse(address)
  } catch {
    throw new SocksError(resolveFailure({ code: 'name_not_found', blame: 'target', errno: 'ENOTFOUND' }))
  }
}

async function ask(command: 'resolve' | 'resolve-ptr', address: Address, options: ViaOptions): Promise<string> {
  const { connection, bound } = await dialVia(options, destinationOf(address), { command })
  connection.destroy()
  return formatAddress(bound.address)
}

function isDirect(address: Address, { via }: ViaOptions): boolean {
  const { kind } = appliedRoute(routeOf(via), { destination: destinationOf(address) })
  if (kind === 'block') throw new SocksError(blocked())
  return kind === 'direct'
}

// Neither command has a port.
function destinationOf(address: Address): Destination {
  return { address, port: 0 }
}

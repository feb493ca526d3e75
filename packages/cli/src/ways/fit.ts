/** Whether a server can go by its ways at all: what its engine can do, and that none leads to the server itself. */
import { readFileSync } from 'node:fs'
import type { Route } from '@socksmith/client/route'
import type { Engine, Place } from '@socksmith/engine'
import type { DnsConfig, WaysConfig } from '../config/config.ts'
import { formatPlace } from '../config/place-text.ts'
import { ownListener } from '../config/via-loop.ts'
import { dnsOfWay, hostsOf } from '../dns/way-dns.ts'
import { EXIT, type Trouble, fileErrorText } from '../exit.ts'
import { sourcesOf } from './make-ways.ts'
import { parseTemplate } from '../users/login-template.ts'
import { placesOf } from './proxy-login.ts'
import { isUrl, routeOfWay, wayMap } from './way-route.ts'

/** Why these ways cannot be served by this engine. */
export function engineFault(ways: WaysConfig, { name: engine, socketOptions }: Engine): Trouble | undefined {
  for (const [name, given] of Object.entries(ways)) {
    const way = wayMap(given)
    const hasPrefix = sourcesOf(way).some(({ address, bits }) => bits < address.octets.length * 8)
    const wanted = [
      way.interface !== undefined && !socketOptions.has('interface') && 'interface',
      way.mark !== undefined && !socketOptions.has('mark') && 'mark',
      hasPrefix && !socketOptions.has('freeBind') && 'source with a whole prefix',
    ].find(word => word !== false)
    if (wanted === undefined) continue
    const which = engine === 'node' ? 'the portable engine' : `the engine ${engine}`
    return { exitCode: EXIT.DATA, message: `ways.${name}: ${which} cannot do this (${wanted}); the Linux engine can` }
  }
  return undefined
}

/** CAP_NET_ADMIN of linux/capability.h, as a bit of /proc/PID/status. */
const CAP_NET_ADMIN = 1n << 12n

/** Why this process may not go by these ways, although its engine could. */
export function permissionFault(ways: WaysConfig): Trouble | undefined {
  const marked = Object.entries(ways).find(([, given]) => wayMap(given).mark !== undefined)
  if (marked === undefined) return undefined
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(readStatus())?.[1]
  // Where the system does not tell, the first connection does.
  if (capabilities === undefined || (BigInt(`0x${capabilities}`) & CAP_NET_ADMIN) !== 0n) return undefined
  return { exitCode: EXIT.REFUSED, message: `ways.${marked[0]}: a mark needs CAP_NET_ADMIN, which this process lacks` }
}

function readStatus(): string {
  try {
    return readFileSync('/proc/self/status', 'latin1')
  } catch {
    return ''
  }
}

/** The first file with authorities that cannot be read. */
export function authoritiesFault(dns: DnsConfig, ways: WaysConfig): Trouble | undefined {
  const files = [dns.ca, ...Object.values(ways).map(way => dnsOfWay(wayMap(way)).ca)]
  for (const file of files) {
    if (file === undefined) continue
    try {
      readFileSync(file)
    } catch (error) {
      return { exitCode: EXIT.NO_INPUT, message: `cannot read ${file}: ${fileErrorText(error)}` }
    }
  }
  return undefined
}

/** The first way that sticks by, or tells its proxies, a parameter that no user name carries. */
export function parameterFault(ways: WaysConfig, template: string | undefined): Trouble | undefined {
  const known = new Set(['user', 'client', ...((template && parseTemplate(template)) || []).map(({ name }) => name)])
  for (const [name, given] of Object.entries(ways)) {
    const way = wayMap(given)
    const urls = [...(way.chain ?? []), ...(way.pool ?? []).map(one => (typeof one === 'string' ? one : one.to))]
    const wanted = [...(way.sticky === undefined ? [] : [way.sticky]), ...urls.filter(isUrl).flatMap(placesOf)]
    const unknown = wanted.find(one => !known.has(one))
    if (unknown === undefined) continue
    const there = [...known].join(', ')
    return {
      exitCode: EXIT.DATA,
      message: `ways.${name}: there is no parameter "${unknown}"; there is ${there} (users.template)`,
    }
  }
  return undefined
}

/** The first way that leads to one of these listeners. */
export function loopFault(ways: WaysConfig, listeners: readonly Place[], dns: DnsConfig): Trouble | undefined {
  for (const name of Object.keys(ways)) {
    const fault = routeLoop(`ways.${name}`, routeOfWay(name, ways), listeners, dns)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** The same for one route; `key` is what it is called in the configuration. */
export function routeLoop(
  key: string,
  route: Route | undefined,
  listeners: readonly Place[],
  { hosts }: DnsConfig,
): Trouble | undefined {
  // Those of a way itself are for its targets; its proxies are found by what holds for all.
  const loop = route && ownListener(route, listeners, hostsOf(hosts))
  if (loop === undefined) return undefined
  return { exitCode: EXIT.DATA, message: `${key}: ${formatPlace(loop)} is a listener of this server itself` }
}

/** What the key `dns` of a way says, whichever of its short forms it has. Asks nobody. */
import { type IpAddress, comparableName, parseIp } from '@socksmith/protocol'
import type { DnsConfig, WayConfig, WayDnsConfig } from '../config/config.ts'

/** The long form. */
export function dnsOfWay({ dns = {} }: WayConfig): WayDnsConfig {
  if (typeof dns === 'string') {
    if (dns === 'system' || dns === 'proxy') return { names: dns }
    return dns.includes('://') ? { https: dns } : { servers: [dns] }
  }
  return 'length' in dns ? { servers: dns } : dns
}

/** Addresses of names by their comparable form; the later maps win. */
export function hostsOf(
  ...maps: readonly (DnsConfig['hosts'] | undefined)[]
): ReadonlyMap<string, readonly IpAddress[]> {
  return new Map(
    maps.flatMap(map =>
      Object.entries(map ?? {}).map(([name, given]): [string, readonly IpAddress[]] => [
        comparableName(name),
        (typeof given === 'string' ? [given] : given).flatMap(text => parseIp(text) ?? []),
      ]),
    ),
  )
}

/** Whether this is the URL of a server that speaks DNS over HTTPS, as far as a URL shows it. */
export function isHttpsUrl(text: string): boolean {
  const url = URL.parse(text)
  return (
    url?.protocol === 'https:' && url.username === '' && url.password === '' && url.hash === '' && !text.includes('{')
  )
}

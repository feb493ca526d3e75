/** How each service of the target is reached: straight, or through one proxy. Opens nothing but a name server's answer. */
import { lookup } from 'node:dns/promises'
import type { Place } from '@socksmith/engine'
import { type Destination, type Endpoint, type Failure, NO_ENDPOINT, failure, parseIp } from '@socksmith/protocol'
import { composeScript } from './handshake-script.ts'
import type { Ways } from './load.ts'
import type { ProxyUrl } from './proxy-url.ts'
import type { Target } from './target.ts'
import type { Route } from './tunnel.ts'

/** A proxy with the address that its name stands for. */
export interface ProxyPlace extends ProxyUrl {
  readonly endpoint: Endpoint
}

/** Looks the host of the URL up; IPv4 where there is a choice, since that is where most proxies listen. */
export async function findProxy(proxy: ProxyUrl): Promise<ProxyPlace | Failure> {
  const literal = parseIp(proxy.host)
  if (literal !== undefined) return { ...proxy, endpoint: { address: literal, port: proxy.port } }
  const found = await lookup(proxy.host, { order: 'ipv4first' }).catch(() => undefined)
  const address = found && parseIp(found.address)
  if (address === undefined) return failure('name_not_found', 'us', `there is no address for ${proxy.host}`)
  return { ...proxy, endpoint: { address, port: proxy.port } }
}

/** Without a proxy. */
export function directWays({ address, ports }: Target): Ways {
  const to = (port: number): Route => ({ place: { kind: 'ip', endpoint: { address, port } }, steps: [] })
  return { source: to(ports.source), sink: to(ports.sink), echo: to(ports.echo), datagrams: 'direct' }
}

/** Through the proxy; `name` is what to call the target where it is named. */
export function proxyWays({ address, ports }: Target, proxy: ProxyPlace, name?: string): Ways | Failure {
  const place: Place = { kind: 'ip', endpoint: proxy.endpoint }
  const to = (port: number): Route | Failure => {
    const destination: Destination = { address: name === undefined ? address : { type: 'domain', name }, port }
    const steps = composeScript(proxy, 'connect', destination)
    return 'code' in steps ? steps : { place, steps }
  }
  const [source, sink, echo] = [to(ports.source), to(ports.sink), to(ports.echo)]
  if ('code' in source) return source
  if ('code' in sink) return sink
  if ('code' in echo) return echo
  // RFC 1928 section 4: zeros, since the socket to send from is opened when the relay is known.
  const associate = composeScript(proxy, 'udp-associate', NO_ENDPOINT)
  return { source, sink, echo, datagrams: 'code' in associate ? associate : { place, steps: associate } }
}

/** Who is measured: our functions and those of others that do the same, each called as its documentation says. */
import type { Agent } from 'node:http'
import type { Socket } from 'node:net'
import { SocksAgent, connect, dispatcher, toRoute } from '@socksmith/client'
import { SocksClient } from 'socks'
import { SocksProxyAgent } from 'socks-proxy-agent'
import * as undici from 'undici'
import { HOST } from './targets.ts'

/** Opens a tunnel to a port of the counterpart. */
export type Opener = (port: number) => Promise<Socket>
/** Makes an agent of `node:http` and `node:https`. */
export type AgentMaker = (options: { readonly keepAlive?: boolean; readonly maxSockets?: number }) => Agent
/** Makes a dispatcher of undici. */
export type DispatcherMaker = () => undici.Dispatcher

/** One way to do it; the first of each list is ours. */
export interface Contestant<T> {
  readonly name: string
  readonly make: T
}

/** `proxyPort` is where the counterpart listens, here and below. */
export function openers(proxyPort: number): readonly Contestant<Opener>[] {
  const via = toRoute(`socks5h://127.0.0.1:${proxyPort}`)
  const proxy = { host: '127.0.0.1', port: proxyPort, type: 5 } as const
  return [
    { name: 'connect()', make: port => connect({ host: HOST, port, via }) },
    {
      name: 'socks',
      async make(port) {
        const destination = { host: HOST, port }
        const { socket } = await SocksClient.createConnection({ proxy, command: 'connect', destination })
        return socket
      },
    },
  ]
}

export function agents(proxyPort: number): readonly Contestant<AgentMaker>[] {
  const url = `socks5h://127.0.0.1:${proxyPort}`
  return [
    { name: 'SocksAgent', make: options => new SocksAgent(url, options) },
    { name: 'socks-proxy-agent', make: options => new SocksProxyAgent(url, options) },
  ]
}

export function dispatchers(proxyPort: number): readonly Contestant<DispatcherMaker>[] {
  return [
    { name: 'dispatcher()', make: () => dispatcher(`socks5h://127.0.0.1:${proxyPort}`, { undici }) },
    { name: 'Socks5ProxyAgent', make: () => new undici.Socks5ProxyAgent(`socks5://127.0.0.1:${proxyPort}`) },
  ]
}

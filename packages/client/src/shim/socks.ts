/**
 * The door `@socksmith/client/socks`: what programs import from the package `socks`. The main door has the same names, for
 * `"socks": "npm:@socksmith/client"` in a package.json.
 */
export { SocksClient, type SocksClientEvents } from './socks-client.ts'
export {
  type SocksClientBoundEvent,
  type SocksClientChainOptions,
  SocksClientError,
  type SocksClientEstablishedEvent,
  type SocksClientOptions,
  type SocksCommandOption,
  type SocksProxy,
  type SocksProxyType,
  type SocksRemoteHost,
} from './socks-options.ts'
export type { SocksUDPFrameDetails } from './socks-udp-frame.ts'

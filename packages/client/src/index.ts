/** The door of the package. */
export { type ConnectionDetails, type ConnectOptions, type ViaOptions, connect, connectionDetails } from './connect.ts'
export { type DialRouteOptions, type RouteConnection, type RouteDialing, dialRoute } from './dial/dial-route.ts'
export type { PhaseTimeouts } from './dial/limits.ts'
export type { PhaseTime } from './dial/scope.ts'
export type { HopEnd, HopError, HopStart, HopTrace } from './dial/trace.ts'
export { Credentials, type CredentialOctets } from './route/credentials.ts'
export { type Environment, routeFromEnvironment } from './route/environment.ts'
export type { AskCredentials, HopPlace, HopProtocol, HopSsh, HopTls, ProxyHop } from './route/hop.ts'
export {
  type ChainOptions,
  type PoolOptions,
  type RouteInput,
  type RuleInput,
  chain,
  pool,
  rules,
  toRoute,
} from './route/make.ts'
export type { HostPattern, PortRange } from './route/pattern.ts'
export type { ProxyOptions, ProxyScheme } from './route/proxy.ts'
export { type ImportedRoute, routeFromProxychains } from './route/proxychains.ts'
export {
  type BlockRoute,
  type ChainRoute,
  type DirectRoute,
  type PoolRoute,
  type PoolStrategy,
  type ProxyRoute,
  type Route,
  type RouteRule,
  type RulesRoute,
  type Traits,
  block,
  direct,
} from './route/route.ts'
export { type AcceptOptions, type ListenOptions, type SocksListener, listen } from './listen.ts'
export { resolve, reverse } from './resolve.ts'
export { SocksSocket, type SocksSocketOptions } from './socket/socks-socket.ts'
export { type Phase, type RouteFailure, SocksError, type SocksErrorCode, type SocksErrorJson } from './socks-error.ts'
export { type OpenPath, type OpenPathOptions, openUdpPath } from './udp/open-path.ts'
export type { PathHandler, UdpPath } from './udp/path.ts'
export {
  type SocksUdpSocket,
  type UdpData,
  type UdpMessage,
  type UdpSender,
  createUdpSocket,
} from './udp/udp-socket.ts'
export {
  type AgentRoute,
  type AgentTarget,
  SocksAgent,
  type SocksAgentOptions,
  type SocksRequestOptions,
} from './http/agent.ts'
export { type DispatcherOptions, type RuntimeDispatcher, type Undici, dispatcher } from './http/dispatcher.ts'
export { type RouteRequestInit, fetch } from './http/fetch.ts'
export { type Installation, install } from './http/install.ts'
export { type RouteWebSocketConstructor, type RouteWebSocketInit, WebSocket } from './http/web-socket.ts'
// So that `"socks": "npm:@socksmith/client"` in a package.json is all it takes to move a program over.
export { SocksClient, SocksClientError } from './shim/socks.ts'
export { SocksProxyAgent } from './shim/socks-proxy-agent.ts'

/** The second door, for servers: routes, and how they are dialled on any engine. Loads no socket of Node and no HTTP. */
export { type DialRouteOptions, type RouteConnection, type RouteDialing, dialRoute } from './dial/dial-route.ts'
export { type AppliedRoute, type RouteQuestion, appliedRoute, resolvesNames } from './route/choose.ts'
export type { ProxyHop } from './route/hop.ts'
export { chain, pool, toRoute } from './route/make.ts'
export type { PoolStrategy, Route } from './route/route.ts'
export { type RouteFailure, SocksError, type SocksErrorCode } from './socks-error.ts'
export { type OpenPath, openUdpPath } from './udp/open-path.ts'
export type { PathHandler } from './udp/path.ts'

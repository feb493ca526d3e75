/**
 * The function through which undici makes its connections, over a route. TLS with the target happens here, with the
 * sessions of earlier connections. Knows no request.
 */
import type { Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { type ConnectOptions, connect } from '../connect.ts'
import type { Route } from '../route/route.ts'
import { onSession } from './tls-session.ts'
import type { Waiting } from './waiting.ts'

/** What undici says about a connection that it needs. */
interface Wanted {
  readonly hostname: string
  readonly protocol: string
  readonly port: string
  readonly servername?: string | null
  readonly localAddress?: string | null
}

type Connector = (wanted: Wanted, callback: (error: Error | null, socket: Socket | null) => void) => void

export interface ConnectorOptions extends Pick<ConnectOptions, 'timeout' | 'timeouts'> {
  readonly route: Route
  readonly tls: ConnectionOptions
  /** In the order of preference. */
  readonly alpn: readonly string[]
  readonly isWebSocket: boolean
  readonly waiting: Waiting
}

/** TLS sessions that are kept: as many as `https.Agent` keeps. */
const SESSIONS_MAX = 100

export function routeConnector({ route, tls, alpn, isWebSocket, waiting, ...limits }: ConnectorOptions): Connector {
  const sessions = new Map<string, Buffer>()
  return ({ hostname, protocol, port, servername, localAddress }, callback) => {
    const isSecure = protocol === 'https:'
    const name = servername || hostname
    const session = sessions.get(name)
    // undici knows only callbacks.
    /* oxlint-disable promise/no-callback-in-promise */
    connect({
      ...limits,
      via: route,
      host: hostname,
      port: port === '' ? (isSecure ? 443 : 80) : Number(port),
      scheme: isWebSocket ? (isSecure ? 'wss' : 'ws') : isSecure ? 'https' : 'http',
      signal: waiting.signal(),
      ...(localAddress && { localAddress }),
      ...(isSecure && {
        tls: { ALPNProtocols: [...alpn], ...(session && { session }), ...(servername && { servername }), ...tls },
      }),
    }).then(
      socket => {
        if (isSecure) onSession(socket as TLSSocket, fresh => keep(sessions, name, fresh))
        callback(null, socket)
      },
      (error: Error) => callback(error, null),
    )
  }
}

function keep(sessions: Map<string, Buffer>, name: string, session: Buffer): void {
  sessions.delete(name)
  if (sessions.size >= SESSIONS_MAX) sessions.delete(sessions.keys().next().value as string)
  sessions.set(name, session)
}

/**
 * The function through which undici makes its connections, over a route. TLS with the target happens here, with the
 * sessions of earlier connections. Knows no request.
 */
import type { Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { type ConnectOptions, connect, startConnect } from '../connect.ts'
import type { Step } from '../dial/scope.ts'
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
    const options = {
      ...limits,
      via: route,
      host: hostname,
      port: port === '' ? (isSecure ? 443 : 80) : Number(port),
      scheme: isWebSocket ? (isSecure ? 'wss' : 'ws') : isSecure ? 'https' : 'http',
      ...(localAddress && { localAddress }),
    }
    const secureOptions = { ALPNProtocols: [...alpn], ...(session && { session }), ...(servername && { servername }) }
    let connecting: Step<Socket>
    try {
      connecting = isSecure ? startSecure(options, { ...secureOptions, ...tls }) : startConnect(options)
    } catch (error) {
      return callback(error as Error, null)
    }
    const forget = waiting.watch(connecting)
    // undici knows only callbacks.
    /* oxlint-disable promise/no-callback-in-promise */
    connecting.result.then(
      socket => {
        forget()
        if (isSecure) onSession(socket as TLSSocket, fresh => keep(sessions, name, fresh))
        callback(null, socket)
      },
      (error: Error) => {
        forget()
        callback(error, null)
      },
    )
  }
}

function startSecure(options: ConnectOptions, tls: ConnectionOptions): Step<Socket> {
  const controller = new AbortController()
  const result = connect({ ...options, tls, signal: controller.signal })
  return { result, cancel: () => controller.abort() }
}

function keep(sessions: Map<string, Buffer>, name: string, session: Buffer): void {
  sessions.delete(name)
  if (sessions.size >= SESSIONS_MAX) sessions.delete(sessions.keys().next().value as string)
  sessions.set(name, session)
}

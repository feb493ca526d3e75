/**
 * Gives an agent of `node:http` or `node:https` the connection for a request, over a route. The agent keeps its own
 * pool, limits and TLS sessions; while the connection is made, a {@link PendingSocket} stands for it in both the agent
 * and the request. Knows no proxy.
 */
/* oxlint-disable no-underscore-dangle -- These are the names of `node:https`. */
import type { Agent, ClientRequest } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { type ConnectOptions, connect } from '../connect.ts'
import type { Route } from '../route/route.ts'
import { SocksError } from '../socks-error.ts'
import { PendingSocket } from './pending-socket.ts'
import { onSession } from './tls-session.ts'

/** The request that a connection is made for. */
export const REQUEST: unique symbol = Symbol('request')

/** The options of a request as they come to its agent. */
export interface AgentRequestOptions extends Omit<ConnectionOptions, 'host' | 'port'> {
  /** Set on the way to `createConnection`, which is not told. */
  [REQUEST]?: ClientRequest
  host: string
  port: number | string
  socketPath?: string
  localAddress?: string
  timeout?: number
  keepAlive?: boolean
  keepAliveInitialDelay?: number
  _agentKey?: string
}

/** An agent with the members that `node:http` calls and its types leave out. */
export interface OpenAgent extends Omit<
  Agent,
  'createConnection' | 'options' | 'sockets' | 'requests' | 'getName' | 'addRequest'
> {
  readonly options: { readonly timeout?: number }
  protocol?: string
  defaultPort?: number
  keepAlive: boolean
  keepAliveMsecs: number
  totalSocketCount: number
  readonly sockets: { [name: string]: Socket[] | undefined }
  readonly requests: { [name: string]: ClientRequest[] | undefined }
  getName(options: object): string
  createConnection(options: AgentRequestOptions, callback: SocketCallback): Socket | undefined
  createSocket(request: ClientRequest, options: AgentRequestOptions, callback: SocketCallback): void
  removeSocket(socket: Socket, options: object): void
  addRequest(request: ClientRequest, options: AgentRequestOptions): void
  // Of node:https only: the sessions of TLS.
  _getSession?(key: string): Buffer | undefined
  _cacheSession?(key: string, session: Buffer): void
  _evictSession?(key: string): void
}

/** What an agent does with the connection that was made for it, or without. */
export type SocketCallback = (error: Error | null, socket?: Socket) => void

/** Limits and places that {@link connect} is told beside route and target. */
export type AgentConnectOptions = Pick<ConnectOptions, 'timeouts'>

/** How `node:http` tells a request that there is no connection. */
export interface EndingRequest {
  onSocket(socket: null, error?: unknown): void
}

/** True for a request of `https:`. */
export function isSecure(request: ClientRequest): boolean {
  return request.protocol === 'https:'
}

/** A WebSocket may have a route of its own. */
function schemeOf(request: ClientRequest): string {
  const isWebSocket = String(request.getHeader('upgrade')).toLowerCase() === 'websocket'
  return isSecure(request) ? (isWebSocket ? 'wss' : 'https') : isWebSocket ? 'ws' : 'http'
}

/**
 * Opens the connection for `request` over `route`. `register` is what the agent does itself with a socket that it made:
 * it is called once, with the connection or with why there is none.
 */
export function openAgentSocket(
  agent: OpenAgent,
  request: ClientRequest,
  options: AgentRequestOptions,
  route: Route,
  connecting: AgentConnectOptions,
  register: SocketCallback,
): void {
  const pending = new PendingSocket()
  const timeout = (request as { timeout?: number }).timeout ?? agent.options.timeout
  occupy(agent, pending, options)
  // Not yet the request's: it would write into it.
  if (request.socket === null || request.socket === undefined) (request as { socket: Socket }).socket = pending
  pending.on('timeout', () => request.emit('timeout'))
  const key = isSecure(request) ? options._agentKey : undefined
  connect({
    host: options.host,
    port: Number(options.port),
    scheme: schemeOf(request),
    via: route,
    signal: pending.givenUp,
    ...connecting,
    ...(timeout !== undefined && timeout > 0 && { timeout }),
    ...(options.localAddress !== undefined && { localAddress: options.localAddress }),
    ...(isSecure(request) && { tls: tlsOptions(options, key === undefined ? undefined : agent._getSession?.(key)) }),
  }).then(
    socket => {
      if (pending.destroyed) socket.destroy()
      if (key !== undefined) keepSessions(agent, key, socket)
      if (agent.keepAlive) socket.setKeepAlive(true, agent.keepAliveMsecs)
      if (timeout !== undefined && timeout > 0) socket.setTimeout(timeout)
      leave(agent, pending, options)
      pending.replaceBy(socket)
      register(null, socket)
    },
    (error: Error) => {
      if (error instanceof SocksError && error.code === 'SOCKS_TIMED_OUT') request.emit('timeout')
      agent.totalSocketCount--
      pending.discard()
      leaveQueue(agent, request, options)
      // Who destroyed the request said why, or wants no more than "socket hang up".
      if (request.destroyed) (request as unknown as EndingRequest).onSocket(null)
      else register(error)
      // Lets the next request in line have a try; the agent does it by itself only for sockets that were open once.
      agent.removeSocket(pending, options)
    },
  )
}

// Counts from now on, so that the agent's limits hold while connections are made.
function occupy(agent: OpenAgent, pending: PendingSocket, options: AgentRequestOptions): void {
  const name = agent.getName(options)
  agent.sockets[name] ??= []
  agent.sockets[name].push(pending)
  agent.totalSocketCount++
}

function leave(agent: OpenAgent, pending: PendingSocket, options: AgentRequestOptions): void {
  const sockets = agent.sockets[agent.getName(options)]
  const index = sockets?.indexOf(pending) ?? -1
  if (index !== -1) sockets?.splice(index, 1)
  agent.totalSocketCount--
}

// A request that had to wait is left in the queue until it has a socket: it would be tried again.
function leaveQueue(agent: OpenAgent, request: ClientRequest, options: AgentRequestOptions): void {
  const name = agent.getName(options)
  const queue = agent.requests[name]
  const index = queue?.indexOf(request) ?? -1
  if (queue === undefined || index === -1) return
  queue.splice(index, 1)
  if (queue.length === 0) delete agent.requests[name]
}

function keepSessions(agent: OpenAgent, key: string, socket: Socket): void {
  onSession(socket as TLSSocket, session => agent._cacheSession?.(key, session))
  socket.once('close', hadError => hadError && agent._evictSession?.(key))
}

/** What is meant for TLS among the options of a request; the rest says where to connect, which the route decides. */
function tlsOptions(options: AgentRequestOptions, session: Buffer | undefined): ConnectionOptions {
  const { host: _, port: __, path: ___, socketPath: ____, timeout: _____, lookup: ______, ...tls } = options
  return { ...(session !== undefined && { session }), ...tls }
}

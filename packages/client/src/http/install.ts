/**
 * Sends the HTTP of a whole process over a route: `fetch`, `WebSocket`, every agent of `node:http` and `node:https`, and
 * installed copies of undici that use the global dispatcher. What makes its own sockets is not reached. Undone on
 * dispose.
 */
import http from 'node:http'
import https from 'node:https'
import type { RouteInput } from '../route/make.ts'
import type { Route } from '../route/route.ts'
import {
  type AgentRequestOptions,
  type OpenAgent,
  REQUEST,
  type SocketCallback,
  openAgentSocket,
} from './agent-socket.ts'
import { type RuntimeDispatcher, dispatcher } from './dispatcher.ts'
import { knownRoute } from './known-route.ts'
import { lazySocket } from './lazy-socket.ts'
import { GLOBAL_DISPATCHERS, loadUndici } from './runtime-agent.ts'

/** The route of the process, until it is disposed of. */
export interface Installation extends Disposable {
  readonly route: Route
}

interface Installed {
  readonly route: Route
  readonly dispatcher: RuntimeDispatcher
}

// The last one counts; any of them may end first.
const installed: Installed[] = []
let undo: (() => void) | undefined

/**
 * From now on the HTTP of this process goes over the route, by default the environment's. Throws `SOCKS_BAD_ARGUMENT`
 * for a variable that it does not understand; nothing is changed then.
 *
 * ```ts
 * using _ = install('socks5h://127.0.0.1:1080')
 * await fetch('https://example.com/')
 * ```
 *
 * Agents with an own `createConnection` keep it, and so do requests to Unix sockets.
 */
export function install(via?: RouteInput): Installation {
  const { route } = knownRoute(via)
  const mine: Installed = { route, dispatcher: dispatcher(route) }
  installed.push(mine)
  undo ??= patch()
  useDispatcher(mine.dispatcher)
  return {
    route,
    [Symbol.dispose]() {
      const index = installed.indexOf(mine)
      if (index === -1) return
      installed.splice(index, 1)
      const now = installed.at(-1)
      if (now !== undefined) return useDispatcher(now.dispatcher)
      undo?.()
      undo = undefined
    },
  }
}

function patch(): () => void {
  const undoDispatchers = rememberDispatchers()
  const undoAgents = patchAgents()
  return () => {
    undoAgents()
    undoDispatchers()
  }
}

const globals = globalThis as { [key: symbol]: unknown }

function rememberDispatchers(): () => void {
  loadUndici()
  const before = GLOBAL_DISPATCHERS.map(key => [key, globals[key]] as const)
  return () => {
    for (const [key, value] of before) setGlobal(key, value)
  }
}

function useDispatcher(ours: RuntimeDispatcher): void {
  const [newest, legacy] = GLOBAL_DISPATCHERS as readonly [symbol, symbol]
  const wrapper = legacyWrapperClass(globals[legacy])
  setGlobal(newest, ours)
  setGlobal(legacy, wrapper === undefined ? ours : new wrapper(ours))
}

/** With undici 8 the older key holds a wrapper, which lets handlers of undici 7 use the newer dispatcher. */
function legacyWrapperClass(legacy: unknown): (new (dispatcher: object) => object) | undefined {
  const made = (legacy as object | undefined)?.constructor
  return made?.name === 'Dispatcher1Wrapper' ? (made as new (dispatcher: object) => object) : undefined
}

// As undici defines it: it cannot be deleted, so what was not there before stays as a plain `undefined`.
function setGlobal(key: symbol, value: unknown): void {
  if (key in globals) globals[key] = value
  else if (value !== undefined)
    Object.defineProperty(globals, key, { value, writable: true, enumerable: false, configurable: false })
}

const OPEN = http.Agent.prototype as unknown as OpenAgent
const OPEN_SECURE = https.Agent.prototype as unknown as OpenAgent

/* oxlint-disable typescript/unbound-method -- The methods are put back, or called with the agent that is asked. */
function patchAgents(): () => void {
  const { createSocket, createConnection } = OPEN
  const secureConnection = OPEN_SECURE.createConnection
  const before = { http: http.globalAgent, https: https.globalAgent }

  OPEN.createSocket = function (this: OpenAgent, request, options, callback) {
    const isOurs =
      this.createConnection === OPEN.createConnection || this.createConnection === OPEN_SECURE.createConnection
    return createSocket.call(this, request, isOurs ? { ...options, [REQUEST]: request } : options, callback)
  }
  OPEN.createConnection = connectionMaker(createConnection, false)
  OPEN_SECURE.createConnection = connectionMaker(secureConnection, true)
  // Without idle connections from before, and without what NODE_USE_ENV_PROXY made of them.
  http.globalAgent = new http.Agent(optionsOf(before.http))
  https.globalAgent = new https.Agent(optionsOf(before.https))

  return () => {
    OPEN.createSocket = createSocket
    OPEN.createConnection = createConnection
    OPEN_SECURE.createConnection = secureConnection
    for (const agent of [http.globalAgent, https.globalAgent]) agent.destroy()
    http.globalAgent = before.http
    https.globalAgent = before.https
  }
}
/* oxlint-enable typescript/unbound-method */

function optionsOf(agent: http.Agent): http.AgentOptions {
  return { ...(agent as unknown as OpenAgent).options, proxyEnv: undefined }
}

type Maker = OpenAgent['createConnection']

function connectionMaker(original: Maker, secure: boolean): Maker {
  return function (this: OpenAgent, options: AgentRequestOptions, callback: SocketCallback) {
    const { route } = installed.at(-1) as Installed
    if (options.socketPath) return original.call(this, options, callback)
    const request = options[REQUEST]
    // An agent that overrides `createConnection` and calls ours expects a socket at once.
    if (request === undefined) return lazySocket(route, options, secure)
    delete options[REQUEST]
    openAgentSocket(this, request, options, route, {}, callback)
    return undefined
  }
}

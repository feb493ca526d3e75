/**
 * Dispatchers for `fetch`, `WebSocket` and undici whose connections go over a route. Built from the Agent class of the
 * undici that shall use them: the one inside Node, or one that is handed in. Imports no undici.
 */
import type { ConnectionOptions } from 'node:tls'
import type { ConnectOptions } from '../connect.ts'
import type { RouteInput } from '../route/make.ts'
import type { Route } from '../route/route.ts'
import { type AbortSource, abortableHandler, asAbortSignal } from './abortable-handler.ts'
import { knownRoute } from './known-route.ts'
import { requestSignal } from './request-signal.ts'
import { routeConnector } from './route-connector.ts'
import { type DispatchOptions, type UndiciAgent, type UndiciAgentClass, runtimeAgentClass } from './runtime-agent.ts'
import { Waiting } from './waiting.ts'

/** The type that the `fetch` of this Node takes as `dispatcher`; `object` where the types of Node do not tell. */
export type RuntimeDispatcher = RequestInit extends { dispatcher?: infer D } ? NonNullable<D> : object

/** An installed copy of undici, version 7 or 8: `import * as undici from 'undici'`. */
export interface Undici {
  // oxlint-disable-next-line typescript/no-explicit-any -- Each version has its own type of options.
  readonly Agent: new (options?: any) => object
  /** What only version 8 exports. */
  readonly Dispatcher1Wrapper?: unknown
}

/** Beside these, everything that undici's `Agent` takes, such as `connections` and `keepAliveTimeout`. */
export interface DispatcherOptions extends Pick<ConnectOptions, 'timeout' | 'timeouts'> {
  /** TLS with targets of `https:`. */
  readonly tls?: ConnectionOptions
  /** Offer HTTP/2 to targets of `https:`; by default as that undici does by itself: 8 offers it, 7 does not. */
  readonly allowH2?: boolean
  readonly [option: string]: unknown
}

/**
 * A dispatcher for the `fetch` and `WebSocket` of this Node; with `undici`, one for that copy of undici. Without a route
 * it is the environment's.
 *
 * ```ts
 * await fetch('https://example.com/', { dispatcher: dispatcher('socks5h://127.0.0.1:1080') })
 * ```
 */
export function dispatcher<U extends Undici>(
  via: RouteInput | undefined,
  options: DispatcherOptions & { readonly undici: U },
): InstanceType<U['Agent']>
export function dispatcher(
  via?: RouteInput,
  options?: DispatcherOptions & { readonly undici?: never },
): RuntimeDispatcher
export function dispatcher(
  via?: RouteInput,
  { undici, ...options }: DispatcherOptions & { undici?: Undici } = {},
): object {
  const { route } = knownRoute(via)
  const Agent = (undici?.Agent ?? runtimeAgentClass()) as UndiciAgentClass
  const offersH2 =
    undici === undefined ? Number.parseInt(process.versions['undici'] ?? '', 10) >= 8 : 'Dispatcher1Wrapper' in undici
  const RouteAgent = routeAgentClass(Agent)
  return new RouteAgent(route, { allowH2: offersH2, ...options })
}

type RouteAgentClass = new (route: Route, options: DispatcherOptions) => UndiciAgent

const classes = new WeakMap<UndiciAgentClass, RouteAgentClass>()

function routeAgentClass(Agent: UndiciAgentClass): RouteAgentClass {
  let made = classes.get(Agent)
  if (made === undefined) classes.set(Agent, (made = makeRouteAgentClass(Agent)))
  return made
}

type Flavour = 'main' | 'http1' | 'websocket'

function makeRouteAgentClass(Agent: UndiciAgentClass): RouteAgentClass {
  return class RouteAgent extends Agent {
    readonly #route: Route
    readonly #options: DispatcherOptions
    readonly #flavour: Flavour
    readonly #waiting: Waiting
    /** Agents for what must not share connections with the rest. */
    readonly #others = new Map<Flavour, UndiciAgent>()

    constructor(route: Route, options: DispatcherOptions, flavour: Flavour = 'main') {
      const waiting = new Waiting()
      super(agentOptions(route, options, flavour, waiting))
      this.#route = route
      this.#options = options
      this.#flavour = flavour
      this.#waiting = waiting
    }

    override dispatch(options: DispatchOptions, handler: object): boolean {
      const other = this.#other(options)
      if (other !== undefined) return other.dispatch(options, handler)
      const source = (options.signal ?? requestSignal.getStore()) as AbortSource | undefined
      if (source === undefined) return super.dispatch(options, handler)
      // The built-in `fetch` rejects by itself.
      const abortable = options.signal === undefined ? handler : abortableHandler(handler, source)
      // A connection that this request makes necessary is asked for before `dispatch` returns.
      return this.#waiting.during(asAbortSignal(source), () => super.dispatch(options, abortable))
    }

    // undici's own promise forms call the callback forms of the same object.
    override close(callback?: () => void): Promise<void> {
      if (callback !== undefined) return super.close(callback)
      return all([super.close(), ...Array.from(this.#others.values(), other => other.close())])
    }

    override destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> {
      this.#waiting.end()
      if (typeof error === 'function') return super.destroy(error)
      if (callback !== undefined) return super.destroy(error, callback)
      return all([super.destroy(error), ...Array.from(this.#others.values(), other => other.destroy(error))])
    }

    #other(asked: DispatchOptions): UndiciAgent | undefined {
      const flavour = this.#flavour === 'main' ? flavourOf(asked, this.#options) : 'main'
      if (flavour === 'main') return undefined
      let other = this.#others.get(flavour)
      if (other === undefined) {
        other = new RouteAgent(this.#route, { ...this.#options, allowH2: false }, flavour)
        this.#others.set(flavour, other)
      }
      return other
    }
  }
}

function agentOptions(route: Route, options: DispatcherOptions, flavour: Flavour, waiting: Waiting): object {
  const { tls = {}, timeout, timeouts, ...rest } = options
  const h2 = options['preferH2'] === true ? ['h2', 'http/1.1'] : ['http/1.1', 'h2']
  const connect = routeConnector({
    route,
    tls,
    alpn: options.allowH2 === true ? h2 : ['http/1.1'],
    isWebSocket: flavour === 'websocket',
    waiting,
    ...(timeout !== undefined && { timeout }),
    ...(timeouts !== undefined && { timeouts }),
  })
  return { ...rest, connect }
}

function flavourOf({ upgrade, allowH2 }: DispatchOptions, options: DispatcherOptions): Flavour {
  // The environment may have a variable of its own for them, and undici's speaks HTTP/1.1.
  if (upgrade === 'websocket') return 'websocket'
  return allowH2 === false && options.allowH2 === true ? 'http1' : 'main'
}

async function all(ends: readonly Promise<void>[]): Promise<void> {
  await Promise.all(ends)
}

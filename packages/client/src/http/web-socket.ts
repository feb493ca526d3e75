/** The `WebSocket` of this Node, over a route. Knows no connection. */
import type { RouteInput } from '../route/make.ts'
import { invalid } from '../socks-error.ts'
import { sharedDispatcher } from './fetch.ts'

/** What the `WebSocket` of Node takes as an object, and a route. */
export interface RouteWebSocketInit {
  readonly protocols?: string | string[]
  readonly headers?: RequestInit['headers']
  /** By default the environment's. */
  readonly via?: RouteInput
}

/** Type of {@link WebSocket}: constructs the runtime's own sockets. */
export interface RouteWebSocketConstructor {
  new (url: string | URL, init?: string | string[] | RouteWebSocketInit): globalThis.WebSocket
  readonly CONNECTING: 0
  readonly OPEN: 1
  readonly CLOSING: 2
  readonly CLOSED: 3
}

class RouteWebSocket {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSING = 2
  static readonly CLOSED = 3

  constructor(url: string | URL, init: string | string[] | RouteWebSocketInit = {}) {
    const { via, ...rest } = typeof init === 'string' || Array.isArray(init) ? { protocols: init } : { ...init }
    if ('dispatcher' in rest) throw invalid('a WebSocket takes a route or a dispatcher: a dispatcher has its own route')
    // The runtime's class is asked for now and not at import: it loads all of undici.
    return new globalThis.WebSocket(url, { ...rest, dispatcher: sharedDispatcher(via) } as never)
  }

  static [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof globalThis.WebSocket
  }
}

/**
 * `WebSocket` over a route. It is the runtime's own: `new WebSocket(...) instanceof globalThis.WebSocket`.
 *
 * ```ts
 * const socket = new WebSocket('wss://example.com/', { via: 'socks5h://127.0.0.1:1080' })
 * ```
 */
export const WebSocket: RouteWebSocketConstructor = RouteWebSocket as unknown as RouteWebSocketConstructor

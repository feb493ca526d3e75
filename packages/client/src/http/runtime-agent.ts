/**
 * The class `Agent` of the undici that is inside the running Node, taken from its own global dispatcher: only what that
 * class makes is sure to fit the built-in `fetch` and `WebSocket`. Imports no undici.
 */
import { invalid } from '../socks-error.ts'

/** The part of undici's `Agent` that we use. */
export interface UndiciAgent {
  dispatch(options: DispatchOptions, handler: object): boolean
  close(callback?: () => void): Promise<void>
  destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void>
}

/** What undici is told about one request, as far as we look at it. */
export interface DispatchOptions {
  readonly upgrade?: string | boolean | null
  readonly allowH2?: boolean
  readonly signal?: unknown
}

export type UndiciAgentClass = new (options: object) => UndiciAgent

/** Where each generation of undici keeps the dispatcher of the process; newest first. */
export const GLOBAL_DISPATCHERS: readonly symbol[] = [
  Symbol.for('undici.globalDispatcher.2'),
  Symbol.for('undici.globalDispatcher.1'),
]

/** Wrappers around wrappers are not followed further. */
const DEPTH_MAX = 2

let found: UndiciAgentClass | undefined

/** Node loads its undici with the first use of any of its classes, and that makes the global dispatcher. */
export function loadUndici(): void {
  void globalThis.FormData
}

/** Throws `SOCKS_BAD_ARGUMENT` when somebody has set a global dispatcher that does not show an `Agent`. */
export function runtimeAgentClass(): UndiciAgentClass {
  if (found !== undefined) return found
  loadUndici()
  for (const key of GLOBAL_DISPATCHERS) {
    found = agentClassOf((globalThis as { [key: symbol]: unknown })[key], 0)
    if (found !== undefined) return found
  }
  throw invalid(
    'the global dispatcher was replaced by one without an Agent: call dispatcher() before, or hand in { undici }',
  )
}

function agentClassOf(dispatcher: unknown, depth: number): UndiciAgentClass | undefined {
  if (typeof dispatcher !== 'object' || dispatcher === null || depth > DEPTH_MAX) return undefined
  for (let made: unknown = dispatcher.constructor; typeof made === 'function'; made = Object.getPrototypeOf(made)) {
    if (made.name === 'Agent') return made as unknown as UndiciAgentClass
  }
  // Under NODE_USE_ENV_PROXY it is an EnvHttpProxyAgent, which keeps an Agent for what goes direct.
  for (const key of Object.getOwnPropertySymbols(dispatcher)) {
    const inside = agentClassOf((dispatcher as { [key: symbol]: unknown })[key], depth + 1)
    if (inside !== undefined) return inside
  }
  return undefined
}

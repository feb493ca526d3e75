/** By which way a destination is reached: straight, or along the configured route. Dials nothing. */
import { type AppliedRoute, appliedRoute, resolvesNames } from '@socksmith/client/route'
import type { Destination } from '@socksmith/protocol'
import type { ServerContext } from './context.ts'

/** A way through other proxies. */
export interface WayOut {
  readonly route: AppliedRoute
  /** Who turns the name of a target into addresses. */
  readonly resolve: 'here' | 'there'
}

/** The way; `undefined` is straight to the target. `scheme` is for rules of the route. */
export function wayOut(context: ServerContext, destination: Destination, scheme?: string): WayOut | undefined {
  const { route } = context.options
  if (route === undefined) return undefined
  const applied = appliedRoute(route, { destination, ...(scheme !== undefined && { scheme }) })
  return applied.kind === 'direct' ? undefined : { route: applied, resolve: resolvesNames(applied) }
}

/** Proxies as records name them. */
export function viaText(proxies: readonly string[]): string {
  return proxies.join(' > ')
}

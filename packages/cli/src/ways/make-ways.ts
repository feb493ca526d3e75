/** From the configuration of ways to those of the server. A way whose configuration has not changed stays the same object. */
import { type Network, type Way, type Ways, parseNetwork } from '@socksmith/server'
import type { WayConfig, WaysConfig } from '../config/config.ts'
import { referencesOf, routeOfWay, wayMap } from './way-route.ts'

/** Makes ways, and remembers what it made: health and turns of a pool live with the object. */
export class WayMaker {
  #made = new Map<string, { readonly text: string; readonly way: Way }>()

  make(ways: WaysConfig): Ways {
    const before = this.#made
    this.#made = new Map(
      Object.entries(ways).map(([name, given]) => {
        const text = textOf(given, ways)
        const known = before.get(name)
        return [name, known?.text === text ? known : { text, way: wayOf(name, ways) }]
      }),
    )
    return new Map([...this.#made].map(([name, { way }]) => [name, way]))
  }
}

/** What the way depends on. */
function textOf(given: WaysConfig[string], ways: WaysConfig): string {
  const isAlone = referencesOf(wayMap(given)).length === 0
  return JSON.stringify(isAlone ? given : [given, ways])
}

function wayOf(name: string, ways: WaysConfig): Way {
  const config = wayMap(ways[name] ?? {})
  const route = routeOfWay(name, ways)
  const from = sourcesOf(config)
  return {
    ...(route && { route }),
    ...(from.length > 0 && { source: { from, ...(config.sticky !== undefined && { sticky: config.sticky }) } }),
    ...(config.interface !== undefined && { interface: config.interface }),
    ...(config.mark !== undefined && { mark: config.mark }),
  }
}

/** The addresses and prefixes that a way leaves by. */
export function sourcesOf({ source = [] }: WayConfig): readonly Network[] {
  return (typeof source === 'string' ? [source] : source).flatMap(text => parseNetwork(text) ?? [])
}

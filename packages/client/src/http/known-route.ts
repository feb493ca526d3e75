/**
 * Routes as pools of connections need them: the same input is the same route, with a number that names it. So a pool can
 * tell routes apart without a key that holds a password. Opens nothing.
 */
import { routeFromEnvironment } from '../route/environment.ts'
import { type RouteInput, toRoute } from '../route/make.ts'
import type { Route } from '../route/route.ts'

/** A route and its number within this process. */
export interface KnownRoute {
  readonly route: Route
  readonly id: number
}

/** Texts that are remembered: more different proxies at a time are rare, and a forgotten one only loses its idle connections. */
const TEXTS_MAX = 1_000

const byText = new Map<string, KnownRoute>()
const byObject = new WeakMap<object, KnownRoute>()
let lastId = 0

/** The route of `input`, or of the environment. Throws `SOCKS_BAD_ARGUMENT` for what is no route. */
export function knownRoute(input?: RouteInput): KnownRoute {
  if (input === undefined) return knownText(`env ${environmentText()}`, () => routeFromEnvironment())
  // A URL can be changed by its owner: its text decides.
  const key = input instanceof URL ? input.href : input
  if (typeof key === 'string') return knownText(`url ${key}`, () => toRoute(input))
  let known = byObject.get(key)
  if (known === undefined) byObject.set(key, (known = numbered(toRoute(input))))
  return known
}

function knownText(text: string, read: () => Route): KnownRoute {
  let known = byText.get(text)
  if (known !== undefined) return known
  known = numbered(read())
  if (byText.size >= TEXTS_MAX) byText.delete(byText.keys().next().value as string)
  byText.set(text, known)
  return known
}

function numbered(route: Route): KnownRoute {
  return { route, id: ++lastId }
}

// All that a route could be read from: a program may change its own environment.
function environmentText(): string {
  const names = Object.keys(process.env).filter(name => /_proxy$/i.test(name) || name === 'REQUEST_METHOD')
  return JSON.stringify(names.map(name => [name, process.env[name]]))
}

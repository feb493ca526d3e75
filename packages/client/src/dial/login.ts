/** The user name and password for one proxy, asked for late when the route says so. Knows no method. */
import { Credentials } from '../route/credentials.ts'
import type { AskCredentials, ProxyHop } from '../route/hop.ts'
import { checkCredentials } from '../route/proxy.ts'
import type { Traits } from '../route/route.ts'
import { type RouteFailure, SocksError, invalidRoute } from '../socks-error.ts'
import { type Scope, uncancellable } from './scope.ts'

/** Asks for them, when they are given late. */
export function credentialsOf(
  proxy: ProxyHop,
  traits: Traits | undefined,
  scope: Scope,
): Credentials | undefined | Promise<Credentials | RouteFailure> {
  const { credentials } = proxy
  if (credentials === undefined || credentials instanceof Credentials) return credentials
  return ask(credentials, proxy, traits ?? {}, scope)
}

async function ask(
  credentials: AskCredentials,
  proxy: ProxyHop,
  traits: Traits,
  scope: Scope,
): Promise<Credentials | RouteFailure> {
  const asked = Promise.resolve().then(() => credentials(proxy.label, traits))
  // The error of the caller's own function may hold anything: only that it failed is told.
  const given = await scope.during(uncancellable(asked.catch(() => undefined)))
  if (given === undefined) return invalidRoute('no user name and password for this proxy')
  if ('code' in given) return given
  try {
    checkCredentials(given, proxy.protocol)
    return given
  } catch (error) {
    return invalidRoute(error instanceof SocksError ? (error.detail ?? '') : 'unusable credentials')
  }
}

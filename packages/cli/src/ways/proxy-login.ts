/**
 * User names of proxies with places for what is known of the client, such as `customer-x[-session-{session}]`. What is filled
 * in goes into the login as it is, never into a URL.
 */
import { Credentials, type ProxyOptions, SocksError, type Traits, optionsOfUrl } from '@socksmith/client/route'

const PLACE = /\{([a-z][a-z0-9_]*)\}/g
/** What may be filled in: nothing by which a client could add words of the provider's own. */
const VALUE = /^[A-Za-z0-9_.]{1,64}$/

/** The proxy of a URL. Its user name may have places: `{name}`, and `[...]` around what is left out when one is not known. */
export function proxyWithPlaces(url: string): ProxyOptions {
  const { username, password, ...options } = optionsOfUrl(url)
  if (username === undefined || !/[{}[\]]/.test(username)) {
    return { ...options, ...(username !== undefined && { username }), ...(password !== undefined && { password }) }
  }
  return { ...options, credentials: (_proxy, traits) => new Credentials(filled(username, traits), password ?? '') }
}

/** The names of the places in the user name of a URL. */
export function placesOf(url: string): readonly string[] {
  try {
    return [...(optionsOfUrl(url).username ?? '').matchAll(PLACE)].map(([, name = '']) => name)
  } catch (error) {
    if (error instanceof SocksError) return []
    throw error
  }
}

/** Throws for what is not known, or must not stand there. */
export function filled(template: string, traits: Traits): string {
  const withoutOptional = template.replace(/\[([^[\]]*)\]/g, (_all, part: string) =>
    [...part.matchAll(PLACE)].every(([, name = '']) => traits[name] !== undefined) ? part : '',
  )
  return withoutOptional.replace(PLACE, (_all, name: string) => {
    // Colons of IPv6 addresses part things in HTTP's logins.
    const value = name === 'client' ? traits[name]?.replaceAll(':', '.') : traits[name]
    if (value === undefined || !VALUE.test(value)) throw new Error(`nothing that could stand for ${name}`)
    return value
  })
}

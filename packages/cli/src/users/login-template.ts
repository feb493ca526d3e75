/** User names that carry parameters, such as `alice-session-7`: how they are written, and how they are parted. Knows no user. */
import type { SplitLogin } from '@socksmith/server'

/** What stands behind the user, each part at most once and in any order. */
export type LoginTemplate = readonly { readonly literal: string; readonly name: string }[]

export const TEMPLATE_EXPECTED =
  'expected a template such as {user}-session-{session}-country-{country}: after each text that begins with a sign, a parameter'

/** A template with more is a mistake. */
const PARAMETERS_MAX = 8
/** What a value may hold: nothing that means something in a URL, a header or another user name. */
const VALUE = '[A-Za-z0-9_.]{1,64}'

/** Reads `{user}-session-{session}`; `undefined` when it is none. */
export function parseTemplate(text: string): LoginTemplate | undefined {
  const match = /^\{user\}((?:[^A-Za-z0-9_.{}[\]][^{}[\]]{0,31}\{[a-z][a-z0-9_]{0,31}\})+)$/.exec(text)
  if (match === null) return undefined
  const parts = [...(match[1] ?? '').matchAll(/([^{}]+)\{([^{}]+)\}/g)].map(([, literal = '', name = '']) => ({
    literal,
    name,
  }))
  const names = new Set(parts.map(({ name }) => name))
  const isClear = names.size === parts.length && new Set(parts.map(({ literal }) => literal)).size === parts.length
  return isClear && parts.length <= PARAMETERS_MAX && !names.has('user') && !names.has('client') ? parts : undefined
}

/**
 * The user and the parameters of a name; `undefined` when it carries none. A name that is a user's as a whole
 * (`isUser`) carries none, whatever it looks like.
 */
export function splitLogin(
  name: string,
  template: LoginTemplate,
  isUser: (name: string) => boolean,
): SplitLogin | undefined {
  if (isUser(name)) return undefined
  const parameters: Record<string, string> = {}
  let user = name
  let left = template
  for (;;) {
    const found = left.find(({ literal }) => valueBehind(user, literal) !== undefined)
    if (found === undefined) break
    const value = valueBehind(user, found.literal) ?? ''
    parameters[found.name] = value
    user = user.slice(0, -(found.literal.length + value.length))
    left = left.filter(one => one !== found)
  }
  return left === template || user === '' ? undefined : { user, parameters }
}

function valueBehind(name: string, literal: string): string | undefined {
  const value = new RegExp(`${VALUE}$`).exec(name)?.[0]
  return value !== undefined && name.endsWith(literal + value) ? value : undefined
}

/** What a server can do, as far as the cases depend on it. Words only; `discover.ts` finds them out. */

/** Each is asked for once, before the cases. */
export const NEEDS = {
  socks5: 'SOCKS5',
  open: 'SOCKS5 without a password',
  auth: 'SOCKS5 with a password',
  user: 'user and password in the URL',
  connect: 'CONNECT to a target of the suite',
  name: 'CONNECT to a name',
  ipv4: 'CONNECT over IPv4',
  ipv6: 'CONNECT over IPv6',
  bind: 'BIND',
  udp: 'UDP ASSOCIATE',
  socks4: 'SOCKS4 CONNECT',
  socks4a: 'SOCKS4a',
  bind4: 'SOCKS4 BIND',
  elsewhere: 'a server on another host',
  here: 'a server on this host',
} as const

export type Need = keyof typeof NEEDS

/**
 * That it is offered, or why not. Offered is not served: what does not work is asked all the same, for that is what the
 * cases are for. `isUnknown`: the suite had no means to find out.
 */
export type Ability = { readonly has: true } | Lack

export interface Lack {
  readonly has: false
  readonly reason: string
  readonly isUnknown?: true
}

export const CAN: Ability = { has: true }

export function lack(reason: string): Lack {
  return { has: false, reason }
}

/** Nobody could find out, and so nothing is said about the server. */
export function unknown(reason: string): Lack {
  return { has: false, reason, isUnknown: true }
}

export type Abilities = Readonly<Record<Need, Ability>>

/** `undefined` when the server offers all of it; otherwise a sentence about the first that it does not. */
export function firstLack(abilities: Abilities, needs: readonly Need[]): string | undefined {
  for (const need of needs) {
    const ability = abilities[need]
    if (!ability.has) return `it needs ${NEEDS[need]}: ${ability.reason}`
  }
  return undefined
}

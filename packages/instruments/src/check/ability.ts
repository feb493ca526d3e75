/** What a server can do, as far as the cases depend on it. Words only; `discover.ts` finds them out. */

/** Each is asked for once, before the cases. */
export const NEEDS = {
  socks5: 'SOCKS5',
  open: 'SOCKS5 without a password',
  auth: 'SOCKS5 with a password that is needed',
  connect: 'CONNECT to a target of the suite',
  name: 'CONNECT to a name',
  ipv6: 'CONNECT over IPv6',
  bind: 'BIND',
  udp: 'UDP ASSOCIATE with datagrams to a target of the suite',
  socks4: 'SOCKS4 CONNECT',
  socks4a: 'SOCKS4a',
  bind4: 'SOCKS4 BIND',
  elsewhere: 'a server on another host',
  here: 'a server on this host',
} as const

export type Need = keyof typeof NEEDS

/** That it can, or what was seen instead. */
export type Ability = { readonly has: true } | { readonly has: false; readonly reason: string }

export type Abilities = Readonly<Record<Need, Ability>>

/** `undefined` when the server can do all of it; otherwise a sentence about the first that it cannot. */
export function firstLack(abilities: Abilities, needs: readonly Need[]): string | undefined {
  for (const need of needs) {
    const ability = abilities[need]
    if (!ability.has) return `it needs ${NEEDS[need]}: ${ability.reason}`
  }
  return undefined
}

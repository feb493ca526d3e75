/** What Tor adds to SOCKS (torspec, socks-extensions): two commands and eight reply codes. Their layouts are those of SOCKS. */

/** RESOLVE takes a name and answers with an address; RESOLVE_PTR (SOCKS5 only) takes an address and answers with a name. */
export const TOR_COMMAND = { resolve: 0xf0, resolvePtr: 0xf1 } as const

const TOR_REPLIES: { readonly [rep: number]: string } = {
  0xf0: 'onion service descriptor cannot be found',
  0xf1: 'onion service descriptor is invalid',
  0xf2: 'onion service introduction failed',
  0xf3: 'onion service rendezvous failed',
  0xf4: 'onion service client authorization is missing',
  0xf5: 'onion service client authorization is wrong',
  0xf6: 'onion address is malformed',
  0xf7: 'onion service introduction timed out',
}

/** What a REP of Tor's ExtendedErrors means; `undefined` for every other. */
export function torReplyText(rep: number): string | undefined {
  return TOR_REPLIES[rep]
}

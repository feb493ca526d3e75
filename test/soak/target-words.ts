/** What the soak and the process of its targets tell each other. */

/** `good`: 127.0.0.1 for names below good.test; `slow`: the same after a while; `lying`: nonsense first, then the truth. */
export type NameService = 'good' | 'slow' | 'lying' | 'failing' | 'gone'

/**
 * What each port does: `echo` and `spare` send back; `source` and `held` send the pattern without end, `steady` 110 KiB of it a second,
 * `measured` as many of its octets as it is asked for in decimal; `deaf` never reads; `reset` resets.
 */
export interface TargetPorts {
  readonly echo: number
  readonly spare: number
  readonly source: number
  readonly steady: number
  readonly held: number
  readonly deaf: number
  readonly reset: number
  readonly measured: number
  readonly datagrams: number
  readonly names: number
}

export type ToTargets = { readonly names: NameService } | 'sent'
export type FromTargets = { readonly ports: TargetPorts } | { readonly sent: number } | { readonly names: NameService }

/** The pattern that `source` sends. */
export const SOURCE_KEY = 1

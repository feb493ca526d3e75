/** What happens to the server as a whole and is worth a line in a log. */
import type { Failure } from '@socksmith/protocol'
import type { Place } from '@socksmith/engine'
import type { Ban } from './login/ban-list.ts'

export type ServerEvent =
  | { readonly kind: 'listening'; readonly place: Place }
  | { readonly kind: 'accept-failure'; readonly place: Place; readonly failure: Failure }
  /** A limit is refusing newcomers. At most one of a kind in ten seconds, with how many it stands for. */
  | {
      readonly kind: 'limit'
      readonly limit: 'connections' | 'connectionsPerClient' | 'pendingDials' | 'udpAssociations' | 'descriptors'
      readonly refused: number
    }
  /** A connection ended in its PROXY header or its TLS handshake. */
  | { readonly kind: 'preface-failure'; readonly place: Place; readonly client: Place; readonly failure: Failure }
  /** The descriptors of the process are enough for so many tunnels at once, fewer than the connections that were configured. */
  | { readonly kind: 'few-descriptors'; readonly connections: number; readonly tunnels: number }
  /** Failed logins have brought a ban. */
  | { readonly kind: 'ban'; readonly ban: Ban }
  /** A proxy of a pool does not work, for this reason; or works again, without one. */
  | { readonly kind: 'proxy-health'; readonly way: string; readonly proxy: string; readonly detail?: string }
  /** Every listener is closed, by `stop`. */
  | { readonly kind: 'deaf' }
  | { readonly kind: 'draining'; readonly sessions: number }

/** The limits by the names that people write, in the order in which they are told. Knows no schema and no flag. */
import type { Limits } from '@socksmith/server'

export type LimitKind = 'count' | 'duration' | 'size'

export interface LimitWord {
  readonly key: string
  readonly option: keyof Limits
  readonly kind: LimitKind
  readonly description: string
}

export const LIMIT_WORDS: readonly LimitWord[] = [
  word('connections', 'connections', 'count', 'All connections at once, in any phase.'),
  word('connections-per-client', 'connectionsPerClient', 'count', 'Connections at once from one client address.'),
  word('handshake', 'handshakeMs', 'duration', 'From accept to a complete request.'),
  word('pending-dials', 'pendingDials', 'count', 'Attempts to reach targets at once.'),
  word('dial', 'dialMs', 'duration', 'One CONNECT, over all addresses of its target.'),
  word('bind', 'bindMs', 'duration', 'Waiting for the peer of a BIND.'),
  word('idle', 'idleMs', 'duration', 'A relay without an octet in either direction; 0 is for ever.'),
  word(
    'half-open-idle',
    'halfOpenIdleMs',
    'duration',
    'A relay without an octet after one side has finished; 0 is for ever.',
  ),
  word(
    'failure-close',
    'failureCloseMs',
    'duration',
    'From a failure to the end of its connection (at most 10s by RFC 1928).',
  ),
  word('early-octets', 'earlyOctets', 'size', 'What a client may send behind its request before the reply.'),
  word('udp-associations', 'udpAssociations', 'count', 'UDP associations at once.'),
  word('udp-idle', 'udpIdleMs', 'duration', 'A UDP association without a datagram in either direction.'),
  word('udp-remotes', 'udpRemotes', 'count', 'Different destinations that one UDP association may write to.'),
  word(
    'udp-datagrams-per-second',
    'udpDatagramsPerSecond',
    'count',
    'Datagrams a second that one association may send; 0 is without limit.',
  ),
]

function word(key: string, option: keyof Limits, kind: LimitKind, description: string): LimitWord {
  return { key, option, kind, description }
}

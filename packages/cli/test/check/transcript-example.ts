/** A transcript with something of each kind, some of it too long for a terminal. */
import type { Transcript } from '@socksmith/instruments'

const OCTETS = '05010001'.repeat(6)
export const TRANSCRIPT: Transcript = {
  connections: [{ number: 1, transport: 'tcp', role: { kind: 'proxy' }, label: '127.0.0.1:36352 to 127.0.0.1:20596' }],
  events: [
    { atMs: 1.5, connection: 1, kind: 'open' },
    { atMs: 2, connection: 1, kind: 'sent', octets: '050100', note: 'greeting: method 00 (no authentication)' },
    {
      atMs: 3,
      connection: 1,
      kind: 'sent',
      octets: OCTETS,
      note: 'request: CONNECT 127.0.0.1:15584, and 16384 behind it',
    },
    { atMs: 4, connection: 1, kind: 'meaning', note: `reply: REP 00 (succeeded), BND ${'long '.repeat(20)}` },
    { atMs: 5, connection: 1, kind: 'fin-received' },
  ],
  targets: [],
}

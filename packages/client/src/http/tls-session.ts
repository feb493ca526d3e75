/** The sessions of a TLS connection, by which a later one saves a round trip. Keeps none. */
import type { TLSSocket } from 'node:tls'

/** Calls back for each session that a later connection can take up; `socket` has just shaken hands. */
export function onSession(socket: TLSSocket, keep: (session: Buffer) => void): void {
  // Up to TLS 1.2 the session came with the handshake; in 1.3 it comes later, in messages of its own.
  const session = socket.getProtocol() === 'TLSv1.3' ? undefined : socket.getSession()
  if (session !== undefined) keep(session)
  socket.on('session', keep)
}

/** Hands a request to the file that serves its command. Knows no connection. */
import { type HandshakeRequest, failure } from '@socksmith/protocol'
import { serveBind } from './bind.ts'
import { serveConnect } from './connect.ts'
import type { Session } from './session.ts'
import { serveUdpAssociate } from './udp-associate.ts'

export function serveRequest(session: Session, request: HandshakeRequest): void {
  const lack = session.descriptor.take()
  if (lack !== undefined) return session.refuse(lack)
  switch (request.command) {
    case 'connect':
      serveConnect(session, request.destination)
      break
    case 'bind':
      serveBind(session, request)
      break
    case 'udp-associate':
      serveUdpAssociate(session)
      break
    case 'resolve':
    case 'resolve-ptr':
      session.refuse(failure('command_not_supported', 'client'))
  }
}

/** What a listener's options mean to the handshake with one client. */
import {
  type CommandName,
  type Method,
  type ServerHandshakeOptions,
  noneMethod,
  userPasswordServer,
} from '@socksmith/protocol'
import type { ListenerOptions, ServerOptions } from './options.ts'

/** `hasCertificate`: the client has shown a certificate that is believed, which stands in place of the password. */
export function handshakeOptions(
  listener: ListenerOptions,
  options: ServerOptions,
  hasCertificate: boolean,
): ServerHandshakeOptions {
  const { access = {}, bind = {} } = options
  const asksPassword = listener.authentication === 'password'
  const passwordRequired = asksPassword && !hasCertificate
  const commands: CommandName[] = []
  if (access.connect !== false) commands.push('connect')
  if (access.bind !== false) commands.push('bind')
  if (access.udpAssociate !== false) commands.push('udp-associate')
  return {
    protocols: listener.protocols,
    methods: methodsFor(asksPassword, hasCertificate),
    passwordRequired,
    commands,
    anyPeer: bind.anyPeer === true,
  }
}

// A client with a certificate may still be set to offer its password only.
function methodsFor(asksPassword: boolean, hasCertificate: boolean): readonly Method[] {
  if (!asksPassword) return [noneMethod]
  return hasCertificate ? [noneMethod, userPasswordServer] : [userPasswordServer]
}

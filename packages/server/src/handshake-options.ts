/** What a listener's options mean to the handshake. */
import { type CommandName, type ServerHandshakeOptions, noneMethod, userPasswordServer } from '@socksmith/protocol'
import type { ListenerOptions, ServerOptions } from './options.ts'

export function handshakeOptions(listener: ListenerOptions, options: ServerOptions): ServerHandshakeOptions {
  const { access = {}, bind = {} } = options
  const passwordRequired = listener.authentication === 'password'
  const commands: CommandName[] = []
  if (access.connect !== false) commands.push('connect')
  if (access.bind !== false) commands.push('bind')
  if (access.udpAssociate !== false) commands.push('udp-associate')
  return {
    protocols: listener.protocols,
    methods: [passwordRequired ? userPasswordServer : noneMethod],
    passwordRequired,
    commands,
    anyPeer: bind.anyPeer === true,
  }
}

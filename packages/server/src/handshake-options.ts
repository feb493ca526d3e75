/** What a listener's options mean to the handshake with one client. */
import {
  type CommandName,
  type Method,
  type ServerHandshakeOptions,
  noneMethod,
  userPasswordServer,
} from '@socksmith/protocol'
import type { ListenerOptions, ServerOptions } from './options.ts'
import type { SessionRules } from './session-rules.ts'

/**
 * `hasCertificate`: the client has shown a certificate that is believed, which stands in place of the password.
 * `rules` say whether anything could be allowed after a method.
 */
export function handshakeOptions(
  listener: ListenerOptions,
  options: ServerOptions,
  hasCertificate: boolean,
  rules: Pick<SessionRules, 'mayLogIn'>,
): ServerHandshakeOptions {
  if (listener.authentication === 'rules') return optionsFor(listener, options, hasCertificate, rules)
  const known = KNOWN[hasCertificate ? 'certified' : 'plain']
  const kept = known.get(listener)
  if (kept?.options === options) return kept.handshake
  const handshake = optionsFor(listener, options, hasCertificate, rules)
  known.set(listener, { options, handshake })
  return handshake
}

interface Kept {
  readonly options: ServerOptions
  readonly handshake: ServerHandshakeOptions
}

// Without rules all clients of a listener are alike, and one object serves them all.
const KNOWN = { certified: new WeakMap<ListenerOptions, Kept>(), plain: new WeakMap<ListenerOptions, Kept>() }

function optionsFor(
  listener: ListenerOptions,
  options: ServerOptions,
  hasCertificate: boolean,
  rules: Pick<SessionRules, 'mayLogIn'>,
): ServerHandshakeOptions {
  const { access = {}, bind = {} } = options
  const byRules = listener.authentication === 'rules'
  const takesPassword = listener.authentication === 'password' || (byRules && rules.mayLogIn('password'))
  const takesNobody = byRules && !hasCertificate ? rules.mayLogIn('none') : !takesPassword || hasCertificate
  const commands: CommandName[] = []
  if (access.connect !== false) commands.push('connect')
  if (access.bind !== false) commands.push('bind')
  if (access.udpAssociate !== false) commands.push('udp-associate')
  return {
    protocols: listener.protocols,
    methods: methodsFor(takesPassword, takesNobody),
    passwordRequired: !takesNobody,
    passwordAccepted: takesPassword,
    commands,
    anyPeer: bind.anyPeer === true,
  }
}

// Whoever offers his password may be allowed more by it; a client with a certificate may be set to offer nothing else.
function methodsFor(takesPassword: boolean, takesNobody: boolean): readonly Method[] {
  return [...(takesPassword ? [userPasswordServer] : []), ...(takesNobody ? [noneMethod] : [])]
}

/** What a listener's configuration means once everything that was left unsaid is said. Pure. */
import { LOOPBACK, containsAny } from '@socksmith/server'
import type { Place } from '@socksmith/engine'
import { type Config, type ListenerConfig, PROTOCOLS } from './config.ts'

export type CompleteListener = ListenerConfig & Required<Pick<ListenerConfig, 'protocols' | 'auth'>>

/** Every listener with its protocols, authentication and client certificates spelled out. */
export function completeListeners(config: Config, hasUsers: boolean): readonly CompleteListener[] {
  return config.listen.map(one => {
    const listener: ListenerConfig = typeof one === 'string' ? { address: one } : one
    const tls = listener.tls
    const asksCertificate = tls?.['client-ca'] !== undefined && tls['client-certificate'] === undefined
    return {
      ...listener,
      ...(asksCertificate ? { tls: { ...tls, 'client-certificate': 'required' as const } } : {}),
      protocols: listener.protocols ?? PROTOCOLS,
      auth: listener.auth ?? (hasUsers ? 'password' : 'none'),
    }
  })
}

/** True when anybody who can reach this place can use it: beyond loopback, and nobody is asked who he is. */
export function isOpenToAll(listener: CompleteListener, place: Place): boolean {
  const proven =
    (listener.auth !== 'none' && listener.auth !== 'rules') || listener.tls?.['client-certificate'] === 'required'
  return !proven && place.kind === 'ip' && !containsAny(LOOPBACK, place.endpoint.address)
}

/** The GSSAPI mechanism of the vectors at either end: tokens T1 and T2, and the wrapping that protects nothing. */
import { failure } from '../../src/failure.ts'
import type { GssapiMechanism, GssapiMechanismStep } from '../../src/method/gssapi.ts'
import { toHex } from '../../src/octets.ts'
import { latin1Octets, latin1Text } from '../../src/text.ts'
import { mockGssapi } from '../wire/mock-gssapi.ts'

type Script = Readonly<Record<string, GssapiMechanismStep>>

/** A mechanism that answers each token (`''` for none or an empty one) as the script says, and refuses any other. */
export function scriptedMechanism(script: Script): () => GssapiMechanism {
  return () => ({
    ...mockGssapi,
    step: token =>
      script[latin1Text(token ?? latin1Octets(''))] ??
      failure('auth_rejected', 'client', toHex(token ?? latin1Octets(''))),
  })
}

export const mockInitiator: () => GssapiMechanism = scriptedMechanism({
  '': { token: latin1Octets('T1'), done: false },
  T2: { done: true },
})

export const mockAcceptor: () => GssapiMechanism = scriptedMechanism({
  T1: { token: latin1Octets('T2'), done: true, peer: 'bob@EXAMPLE.COM' },
})

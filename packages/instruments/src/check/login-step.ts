/** What the cases about logins share: how they come to the login, and logins that are wrong. */
import { METHOD } from '@socksmith/protocol'
import type { Dialogue } from './dialogue.ts'
import { family } from './family.ts'
import type { Probe } from './probe.ts'

export const loginCase: ReturnType<typeof family> = family({ prefix: 'S5-LOG', area: 'login', needs: ['auth'] })
export const SECTION = 'RFC 1929 section 2'
export const WRONG: Uint8Array = Buffer.from('this is not the password')
export const NOBODY: Uint8Array = Buffer.from('nobody-with-this-name')

interface Credentials {
  readonly username: Uint8Array
  readonly password: Uint8Array
}

export function credentialsOf({ proxy }: Probe): Credentials {
  return { username: proxy.username ?? new Uint8Array(0), password: proxy.password ?? new Uint8Array(0) }
}

/** A connection on which the password was selected. */
export async function asked(probe: Probe): Promise<Dialogue> {
  const dialogue = await probe.open()
  dialogue.greet(METHOD.userPassword)
  await dialogue.selection()
  return dialogue
}

/** The STATUS of the answer to a login. `undefined` is the end or silence in its place, which lets nobody in either. */
export async function statusIfAny(probe: Probe, dialogue: Dialogue): Promise<number | undefined> {
  const { stream } = dialogue
  await stream.until(() => stream.waiting.length >= 2, probe.timing.loginMs)
  return stream.waiting.length >= 2 ? dialogue.verdict() : undefined
}

/** A reply that grants a request. */
export function isGrant(octets: Uint8Array): boolean {
  return octets[0] === 5 && octets[1] === 0
}

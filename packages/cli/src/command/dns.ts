/** `socksmith dns`: shows what a running server remembers of names, and makes it forget. */
import { askControl } from '../control/control-socket.ts'
import type { CachedName } from '../dns/name-caches.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import { print, say } from '../terminal/say.ts'
import { visible } from '../terminal/visible.ts'
import { type ControlFlags, controlPath } from './control-path.ts'

export interface DnsFlags extends ControlFlags {
  readonly json?: boolean
}

/** Every name that is remembered, or this one. */
export async function listNames(name: string | undefined, flags: DnsFlags): Promise<Outcome<void>> {
  const path = await controlPath(flags)
  if (!path.ok) return path
  const answer = await askControl(path.value, { ask: 'names' })
  if (!answer.ok) return trouble(EXIT.UNAVAILABLE, answer.trouble.message)
  const { names = [] } = answer.value
  const wanted = names.filter(one => name === undefined || one.name === name.toLowerCase())
  if (flags.json === true) print(JSON.stringify({ names: wanted }))
  else if (wanted.length === 0) say('no name is remembered')
  else print(wanted.map(lineOf).join('\n'))
  return done(undefined)
}

/** Makes all workers forget this name, or all names. */
export async function flushNames(name: string | undefined, flags: DnsFlags): Promise<Outcome<void>> {
  const path = await controlPath(flags)
  if (!path.ok) return path
  const answer = await askControl(path.value, { ask: 'flush-names', ...(name !== undefined && { name }) })
  if (!answer.ok) return trouble(EXIT.UNAVAILABLE, answer.trouble.message)
  say(answer.value.message)
  return done(undefined)
}

/** `default example.com 192.0.2.7, 2001:db8::7 (42 s)`. */
function lineOf({ way, name, addresses, failure, leftSeconds }: CachedName): string {
  return visible(`${way} ${name} ${failure ?? addresses.join(', ')} (${leftSeconds} s)`)
}

/** The ssh sessions of this process, each found by the way that leads to it. Opens none for a way that has one with room. */
import type { Engine } from '@socksmith/engine'
import { type IpAddress, formatAddress } from '@socksmith/protocol'
import type { ReachOptions } from '../dial/reach.ts'
import type { ProxyHop } from '../route/hop.ts'
import type { Traits } from '../route/route.ts'
import { type Carry, SshSession } from './ssh-session.ts'

/** What must be the same for two connections to share a session. */
export interface SshWay {
  readonly engine: Engine
  /** The proxies up to the ssh server, which is the last. Compared as values that exist once: those of one route. */
  readonly hops: readonly ProxyHop[]
  readonly options: Pick<ReachOptions, 'localAddressFor' | 'resolver'>
  /** Of whoever the connection is for: what is asked for user names and passwords may answer by them. */
  readonly traits: Traits
}

interface Known {
  readonly way: SshWay
  readonly session: SshSession
}

/** By the ssh server; a route that nobody has any more is forgotten with its sessions. */
const sessions = new WeakMap<ProxyHop, Set<Known>>()

/** A session for this way in which a place was taken; a new one begins by `carry`. */
export function sshSessionFor(way: SshWay, carry: Carry): { readonly session: SshSession; readonly isNew: boolean } {
  const proxy = way.hops.at(-1) as ProxyHop
  const known = sessions.get(proxy) ?? new Set<Known>()
  sessions.set(proxy, known)
  for (const one of known) {
    if (isSameWay(one, way) && one.session.take()) return { session: one.session, isNew: false }
  }
  const spot = { hop: way.hops.length - 1, proxy, traits: way.traits }
  const made: Known = { way, session: new SshSession(way.engine.clock, spot, carry, () => known.delete(made)) }
  known.add(made)
  made.session.take()
  return { session: made.session, isNew: true }
}

function isSameWay({ way, session }: Known, wanted: SshWay): boolean {
  const isSame =
    way.engine === wanted.engine &&
    way.hops.length === wanted.hops.length &&
    way.hops.every((hop, index) => hop === wanted.hops[index])
  return isSame && logsInAlike(way, wanted) && leavesAlike(way, wanted, session)
}

function logsInAlike(way: SshWay, wanted: SshWay): boolean {
  const isAsked = way.hops.some(({ credentials }) => typeof credentials === 'function')
  return !isAsked || JSON.stringify(way.traits) === JSON.stringify(wanted.traits)
}

/** Both leave this machine by the same address. */
function leavesAlike(way: SshWay, wanted: SshWay, session: SshSession): boolean {
  const [one, other] = [way.options.localAddressFor, wanted.options.localAddressFor]
  if (one === other) return true
  const towards = addressOf(way.hops[0]?.place) ?? addressOf(session.remote)
  return towards !== undefined && textOf(one?.(towards)) === textOf(other?.(towards))
}

function addressOf(place: ProxyHop['place'] | SshSession['remote']): IpAddress | undefined {
  if (place?.kind === 'ip') return place.endpoint.address
  if (place?.kind !== 'host') return undefined
  const { address } = place.destination
  return address.type === 'domain' ? undefined : address
}

function textOf(address: IpAddress | undefined): string | undefined {
  return address && formatAddress(address)
}

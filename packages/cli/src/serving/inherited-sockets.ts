/**
 * Sockets that listen already when the process starts: handed over by systemd (sd_listen_fds(3)), or by whoever sets the
 * same two variables. They take the place of the listeners with their address. Opens and accepts nothing.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { endianness } from 'node:os'
import type { Place } from '@socksmith/engine'
import type { IpAddress } from '@socksmith/protocol'
import { formatPlace, parsePlace } from '../config/place-text.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'

/** sd_listen_fds(3): SD_LISTEN_FDS_START. */
const FIRST_DESCRIPTOR = 3
/** More than any unit has; a number beyond it is a mistake. */
const SOCKETS_MAX = 1_000

/** A socket, and where it listens. */
export interface InheritedSocket {
  readonly descriptor: number
  readonly place: Place
}

/** What a process sees of itself; tests have their own. */
export interface ProcessView {
  readonly env: { readonly [name: string]: string | undefined }
  readonly pid: number
  /** The text of a file below /proc, or the target of a link there; `undefined` when there is none. */
  readonly read: (path: string) => string | undefined
  readonly readLink: (path: string) => string | undefined
}

/** This process. */
export const THIS_PROCESS: ProcessView = {
  env: process.env,
  pid: process.pid,
  read: path => attempt(() => readFileSync(path, 'latin1')),
  readLink: path => attempt(() => readlinkSync(path)),
}

/**
 * For each listener, by its address, the descriptor that it takes over, if any. A socket that no listener takes is a
 * trouble: who connects to it would wait for ever.
 */
export function inheritedDescriptors(
  addresses: readonly string[],
  view: ProcessView = THIS_PROCESS,
): Outcome<readonly (number | undefined)[]> {
  const sockets = inheritedSockets(view)
  if (!sockets.ok) return sockets
  const wanted = addresses.map(placeTextOf)
  const byPlace = new Map(sockets.value.map(({ place, descriptor }) => [formatPlace(place), descriptor]))
  for (const at of byPlace.keys()) {
    if (wanted.includes(at)) continue
    const way = `add --listen ${at}`
    return trouble(
      EXIT.DATA,
      `a socket that listens on ${at} was handed over (LISTEN_FDS), and no listener has this address; ${way}`,
    )
  }
  return done(wanted.map(at => byPlace.get(at)))
}

// One place can be written in several ways.
function placeTextOf(address: string): string {
  const place = parsePlace(address)
  return place === undefined ? address : formatPlace(place)
}

/** The sockets that were handed over to this very process: none when the variables are meant for another one. */
function inheritedSockets({ env, pid, read, readLink }: ProcessView): Outcome<readonly InheritedSocket[]> {
  const { LISTEN_PID, LISTEN_FDS } = env
  if (LISTEN_FDS === undefined || LISTEN_PID !== String(pid)) return done([])
  const count = Number(LISTEN_FDS)
  if (!Number.isInteger(count) || count < 0 || count > SOCKETS_MAX) {
    return trouble(EXIT.DATA, `LISTEN_FDS is ${JSON.stringify(LISTEN_FDS)}: expected a number of sockets`)
  }
  const byInode = new Map<string, Place>()
  for (const [inode, place] of listeningPlaces(read)) byInode.set(inode, place)
  const sockets: InheritedSocket[] = []
  for (let descriptor = FIRST_DESCRIPTOR; descriptor < FIRST_DESCRIPTOR + count; descriptor++) {
    const inode = /^socket:\[(\d+)\]$/.exec(readLink(`/proc/self/fd/${descriptor}`) ?? '')?.[1]
    const place = inode === undefined ? undefined : byInode.get(inode)
    if (place === undefined) {
      return trouble(EXIT.DATA, `descriptor ${descriptor} of LISTEN_FDS is no TCP or Unix socket that listens`)
    }
    sockets.push({ descriptor, place })
  }
  return done(sockets)
}

/** `st` of a socket that listens (TCP_LISTEN). */
const TCP_LISTEN = '0A'
/** `Flags` of a Unix socket that listens (__SO_ACCEPTCON). */
const UNIX_LISTENS = '00010000'

function* listeningPlaces(read: ProcessView['read']): Generator<readonly [string, Place]> {
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of lines(read(file))) {
      const [, local = '', , state, , , , , , inode] = line
      const [address = '', port = ''] = local.split(':')
      if (state !== TCP_LISTEN || inode === undefined) continue
      yield [inode, { kind: 'ip', endpoint: { address: addressOf(address), port: Number.parseInt(port, 16) } }]
    }
  }
  for (const line of lines(read('/proc/net/unix'))) {
    const [, , , flags, , , inode, path] = line
    if (flags === UNIX_LISTENS && inode !== undefined && path !== undefined) yield [inode, { kind: 'unix', path }]
  }
}

/** The columns of each line but the first one. */
function lines(text: string | undefined): readonly (readonly string[])[] {
  return (text ?? '')
    .split('\n')
    .slice(1)
    .map(line => line.trim().split(/\s+/))
}

// Four octets each, as the processor has them.
function addressOf(hex: string): IpAddress {
  const octets = Buffer.from(hex, 'hex')
  if (endianness() === 'LE') octets.swap32()
  return octets.length === 4 ? { type: 'ipv4', octets } : { type: 'ipv6', octets }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** The rogue's CONNECT, and the tunnel of CONNECT and BIND. */
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { type Endpoint, type Place, hostText, resolve } from './place.ts'
import type { Reader } from './reader.ts'
import type { Rogue } from './terms.ts'
import { endAfterFailure, refuse } from './ending.ts'

/** How a protocol says yes and no. */
export interface Speech {
  readonly success: (bound: Endpoint) => Buffer
  readonly failure: (rep: number) => Buffer
  readonly is4?: true
}

export async function serveConnect(
  rogue: Rogue,
  client: Socket,
  reader: Reader,
  place: Place,
  speech: Speech,
): Promise<void> {
  if (rogue.has(speech.is4 === true ? 's4-success-before-dial' : 'success-before-dial')) {
    client.write(speech.success({ host: '0.0.0.0', port: 0 }))
    return
  }
  if (place.port === 0 && rogue.has('port-zero-granted')) {
    client.write(speech.success({ host: '0.0.0.0', port: 0 }))
    return
  }
  const hosts = place.port === 0 ? 1 : await resolve(rogue, place)
  if (rogue.has('crashes-on-octets') && place.octets[0] === 0xff) return void client.destroy()
  if (typeof hosts === 'number') return no(rogue, client, reader, speech, hosts)
  const isSelf = place.port === rogue.port() && hosts.every(host => host.startsWith('127.'))
  if (isSelf && !rogue.has('connects-to-itself')) return no(rogue, client, reader, speech, 2)
  const target = await dial(rogue, hosts, place.port)
  if (typeof target === 'number') return no(rogue, client, reader, speech, target)
  reader.isServed = true
  grant(rogue, client, target, place, speech)
  if (carriesNothing(rogue, place, speech)) return
  let early = reader.release()
  if (rogue.has('drops-behind-request') || (speech.is4 && rogue.has('s4-drops-behind-request'))) early = Buffer.alloc(0)
  if (rogue.has('early-cut')) early = early.subarray(0, 1_024)
  join(rogue, client, target, early)
}

function carriesNothing(rogue: Rogue, { kind, octets }: Place, speech: Speech): boolean {
  const isIpv6 = kind === 'ip' && octets.length === 16
  const is4a = speech.is4 === true && kind === 'name'
  return rogue.has('no-relay') || (isIpv6 && rogue.has('ipv6-no-relay')) || (is4a && rogue.has('s4a-no-relay'))
}

function no(rogue: Rogue, client: Socket, reader: Reader, speech: Speech, rep: number): void {
  if (rep === 2 && rogue.has('rules-end-without-reply')) return void client.destroy()
  if (speech.is4 !== true) return refuse(rogue, client, reader, rep !== 2 && rogue.has('failures-are-04') ? 4 : rep)
  reader.isServed = true
  client.write(speech.failure(rep))
  if (!rogue.has('s4-open-after-rejection')) endAfterFailure(rogue, client)
}

async function dial(rogue: Rogue, hosts: readonly string[], port: number): Promise<Socket | number> {
  let rep = 1
  for (const host of hosts) {
    const target = connect({ host, port, allowHalfOpen: true, noDelay: true })
    rogue.sockets.add(target)
    // What a target says at once must not be lost between the events.
    target.pause()
    try {
      await once(target, 'connect')
      target.on('error', () => {})
      return target
    } catch (error) {
      rep = codeOf(rogue, (error as NodeJS.ErrnoException).code)
    }
  }
  return rep
}

function codeOf(rogue: Rogue, errno: string | undefined): number {
  if (errno === 'ECONNREFUSED') return rogue.has('refused-is-01') ? 1 : 5
  if (errno === 'ENETUNREACH') return rogue.has('no-way-is-01') ? 1 : 3
  return 4
}

function grant(rogue: Rogue, client: Socket, target: Socket, place: Place, speech: Speech): void {
  const real = { host: target.localAddress ?? '', port: target.localPort ?? 0 }
  const toTarget = place.kind === 'ip' ? { host: hostText(place.octets), port: place.port } : real
  const bound = rogue.has('bnd-is-target') ? toTarget : rogue.has('bnd-zeros') ? { host: '0.0.0.0', port: 0 } : real
  let octets = speech.success(bound)
  if (rogue.has('bnd-is-a-name')) octets = Buffer.from([5, 0, 0, 3, 5, ...Buffer.from('proxy'), 0, 80])
  if (rogue.has('bnd-cut-to-ipv4'))
    octets = Buffer.concat([Buffer.from([5, 0, 0, 1]), octets.subarray(-6, -2), octets.subarray(-2)])
  if (rogue.has('rsv-nonzero')) octets[2] = 1
  client.write(octets)
  if (rogue.has('two-replies')) client.write(octets)
}

/** Behind the FIN that the client gets. */
const LATE_MS = 20
/** For what one read has brought. */
const SLOW_MS = 60
const CORRUPT_AFTER = 100_000
const LOSE_AFTER = 1_000_000

/** Joins the two, with half-close in both directions; RST is passed on as RST. */
export function join(rogue: Rogue, client: Socket, target: Socket, early: Buffer): void {
  if (early.length > 0) target.write(early)
  carry(rogue, client, target, 'up')
  carry(rogue, target, client, 'down')
  client.on('error', () => rogue.has('hides-client-reset') || target.resetAndDestroy())
  target.on('error', () => {
    if (rogue.has('hides-reset')) return
    if (rogue.has('reset-becomes-fin')) client.end()
    else client.resetAndDestroy()
  })
  const onClientEnd = (): void => {
    if (rogue.has('fin-ends-both')) {
      client.destroy()
      target.destroy()
    } else target.end()
  }
  // FIN may have come during the dial.
  if (client.readableEnded) onClientEnd()
  onEnd(rogue, client, onClientEnd)
  onEnd(rogue, target, () => {
    if (rogue.has('keeps-finished-tunnels')) return
    if (rogue.has('target-fin-ends-both')) {
      client.end(() => client.destroy())
      target.destroy()
    } else client.end()
    if (rogue.has('target-fin-ends-both-late')) setTimeout(() => target.destroy(), LATE_MS)
  })
}

/** The end comes behind what was carried, also where that is late. */
function onEnd(rogue: Rogue, from: Socket, end: () => void): void {
  from.on('end', rogue.has('slow-tunnels') ? () => setTimeout(end, 2 * SLOW_MS) : end)
}

function carry(rogue: Rogue, from: Socket, to: Socket, direction: 'up' | 'down'): void {
  let carried = 0
  let isFirst = true
  from.on('data', (octets: Buffer) => {
    if (rogue.shared.isStalled) return
    const isLost = direction === 'down' && isFirst && rogue.has('drops-first-words')
    isFirst = false
    if (isLost) return
    carried += octets.length
    if (rogue.has('corrupts-long') && carried > CORRUPT_AFTER) octets[0] = (octets[0] as number) ^ 1
    if (rogue.has('loses-the-end') && carried > LOSE_AFTER) return
    if (rogue.has('slow-tunnels')) {
      from.pause()
      setTimeout(() => (to.write(octets), from.resume()), SLOW_MS)
      return
    }
    if (to.write(octets)) return
    if (rogue.has('stalls-with-one')) rogue.shared.isStalled = true
    from.pause()
    to.once('drain', () => from.resume())
  })
  from.resume()
}

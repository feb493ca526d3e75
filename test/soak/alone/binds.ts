/** A thousand listeners of BIND: who may come, who may not, and when they are gone. */
import { readFileSync } from 'node:fs'
import { type Socket, connect } from 'node:net'
import { COMMAND, Refused, closed, dial, greet, reply, request, take } from '../client.ts'
import { times, until, wait } from '../stage.ts'
import type { Stand, Trial } from './trial.ts'

const LISTENERS = 1_000
/** Below those that the kernel gives to clients. */
const PORTS = { from: 20_000, to: 21_099 } as const
/** Of the listeners, those whose peers come. */
const MET = 100
const GONE_MS_MAX = 500
const BIND_MS = 3_000
const WAIT_MS_MAX = 10_000
/** For octets that must not come. */
const QUIET_MS = 500

interface Listener {
  readonly control: Socket
  readonly port: number
}

export const bindTrial: Trial = {
  rows: ['R-25'],
  name: '1,000 listeners: wrong peers, second peers, clients that leave; and nobody who comes',
  async run({ note, serve }) {
    await serve({ bind: { ports: `${PORTS.from}-${PORTS.to}` } }, async stand => {
      const all = await times(LISTENERS, 50, () => bind(stand))
      const ports = new Set(all.map(({ port }) => port))
      note('listeners at once, each with a port of its own', ports.size, { atLeast: LISTENERS })
      note('of them outside the range', [...ports].filter(port => port < PORTS.from || port > PORTS.to).length, {
        atMost: 0,
      })
      const met = await times(MET, 20, index => meet(all[index] as Listener))
      note('strangers whose octets came to the client, of 100', met.filter(one => one.strangerCame).length, {
        atMost: 0,
      })
      note('peers who could not come after a stranger, of 100', met.filter(one => !one.peerCame).length, { atMost: 0 })
      note('second peers who were let in, of 100', met.filter(one => one.secondCame).length, { atMost: 0 })
      const [alone, ...rest] = all.slice(MET) as [Listener, ...Listener[]]
      note('time until the listener of a client that left is gone', await goneMs([alone]), {
        atMost: GONE_MS_MAX,
        unit: 'ms',
      })
      note('time until those of 899 that left at once are gone', await goneMs(rest), {
        atMost: GONE_MS_MAX,
        unit: 'ms',
      })
      for (const { control } of all) control.destroy()
    })
    await serve({ limits: { bind: `${BIND_MS}ms` } }, async stand => {
      const { control, port } = await bind(stand)
      const startedAt = performance.now()
      const rep = await reply(control).then(
        () => 0,
        (error: unknown) => (error instanceof Refused ? error.reply : -1),
      )
      const toldMs = performance.now() - startedAt
      note('nobody comes: second reply', rep, { atLeast: 1 })
      note('nobody comes: second reply after 3,000 ms, late by', toldMs - BIND_MS, {
        atMost: 0.1 * BIND_MS,
        unit: 'ms',
      })
      note('nobody comes: the listener is gone then', await until(() => !listening().has(port), WAIT_MS_MAX), {
        atMost: GONE_MS_MAX,
        unit: 'ms',
      })
      control.destroy()
    })
  },
}

/** Expects a peer from 127.0.0.1. */
async function bind({ served }: Stand): Promise<Listener> {
  const control = await dial(served.ports.open)
  await greet(control)
  control.write(request(COMMAND.bind, { port: 0 }))
  return { control, port: await reply(control) }
}

async function meet({ control, port }: Listener): Promise<Record<'strangerCame' | 'peerCame' | 'secondCame', boolean>> {
  const come = (from: string): Socket => connect({ port, host: '127.0.0.1', localAddress: from }).on('error', () => {})
  const stranger = come('127.0.0.9')
  stranger.on('connect', () => stranger.write('from a stranger'))
  await closed(stranger)
  const strangerCame = control.readableLength > 0
  const peer = come('127.0.0.1')
  await reply(control)
  peer.write('from the peer')
  const said = (await take(control, 13)).toString()
  const second = come('127.0.0.1')
  second.on('connect', () => second.write('from a second one'))
  await Promise.race([closed(second), wait(QUIET_MS)])
  const secondCame = control.readableLength > 0 || !second.closed
  for (const socket of [second, peer]) socket.destroy()
  return { strangerCame, peerCame: said === 'from the peer', secondCame }
}

async function goneMs(listeners: readonly Listener[]): Promise<number> {
  for (const { control } of listeners) control.destroy()
  return until(() => {
    const open = listening()
    return listeners.every(({ port }) => !open.has(port))
  }, WAIT_MS_MAX)
}

/** Ports of IPv4 where somebody listens. */
function listening(): ReadonlySet<number> {
  // The second column is the local address, the fourth the state; 0A is LISTEN.
  const rows = readFileSync('/proc/net/tcp', 'latin1').matchAll(/^ *\d+: [0-9A-F]{8}:([0-9A-F]{4}) \S+ 0A/gm)
  return new Set([...rows].map(([, port = '']) => Number.parseInt(port, 16)))
}

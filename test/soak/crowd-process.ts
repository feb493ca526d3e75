/**
 * Many clients in a process of their own, which can be stopped and killed: those that read a stream, those that never come to
 * the end of their handshake, those that hold tunnels, and those that carry much. Its parent says what to do and asks how it went.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { wrongPieces } from '../simulation/world/pattern.ts'
import { type ProxyPorts, dial, openTunnel } from './client.ts'
import { EchoTunnel } from './echo-tunnel.ts'
import { p99, times } from './stage.ts'
import { SOURCE_KEY } from './target-words.ts'

/**
 * `streams` reads from the source; `trickle` sends one octet of a handshake at a time, or none at all; `hold` keeps tunnels to
 * an echo, some of which say something every so many milliseconds, and after `ask` each of them does once more; `carry` reads so many
 * octets from the measured target while others are echoed, and is ready when all have come.
 */
export type ToCrowd =
  | {
      readonly do: 'streams'
      readonly ports: ProxyPorts
      readonly source: number
      readonly count: number
      /** Milliseconds between two reads: hundreds of readers of an endless stream must leave the machine to others. */
      readonly restMs: number
    }
  | {
      readonly do: 'trickle'
      readonly port: number
      readonly count: number
      readonly everyMs: number
      readonly addresses: number
    }
  | {
      readonly do: 'hold'
      readonly ports: ProxyPorts
      readonly echo: number
      readonly idle: number
      readonly active: number
      readonly everyMs: number
    }
  | { readonly do: 'ask' }
  | {
      readonly do: 'carry'
      readonly ports: ProxyPorts
      readonly measured: number
      readonly octets: number
      readonly echo: number
      readonly echoes: number
      readonly echoOctets: number
    }
  | { readonly do: 'tell' }

export interface CrowdTold {
  /** All are connected. */
  readonly ready: boolean
  readonly open: number
  readonly octets: number
  readonly wrong: number
  /** Of those that the server closed: milliseconds from connected to closed. */
  readonly firstClosedMs: number
  readonly lastClosedMs: number
  /** Of `hold`: what was said and came back, and how long that took; and the tunnels that wait for an answer. */
  readonly trips: number
  readonly tripP99Ms: number
  readonly unanswered: number
}

/** A greeting, and a request for a name so long that it does not end in time. */
const ENDLESS = Buffer.concat([Buffer.of(5, 1, 0, 5, 1, 0, 3, 255), Buffer.alloc(255, 'x')])
/** Connections that are opened at the same time. */
const AT_ONCE = 100
/** What a held tunnel says. */
const MESSAGE_OCTETS = 1_024
/** Times of trips that are kept: enough for a percentile. */
const TRIPS_KEPT = 100_000

const told = { ready: false, open: 0, octets: 0, wrong: 0, firstClosedMs: Infinity, lastClosedMs: 0 }
const held: EchoTunnel[] = []
const tripsMs: number[] = []
let trips = 0
let activity: NodeJS.Timeout | undefined

function watch(socket: Socket): void {
  told.open++
  socket.on('close', () => told.open--)
}

async function streams({ ports, source, count, restMs }: Extract<ToCrowd, { do: 'streams' }>): Promise<void> {
  for (let i = 0; i < count; i++) {
    const socket = await openTunnel(ports, 'socks5', { port: source })
    watch(socket)
    let offset = 0
    socket.on('end', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      told.wrong += wrongPieces(SOURCE_KEY, offset, chunk)
      offset += chunk.length
      told.octets += chunk.length
      if (restMs === 0) return
      socket.pause()
      setTimeout(() => socket.resume(), restMs)
    })
  }
}

async function trickle(port: number, count: number, everyMs: number, addresses: number): Promise<void> {
  const sockets: Socket[] = []
  let next = 0
  const open = async (): Promise<void> => {
    while (next < count) {
      const socket = await dial(port, `127.0.${100 + (next++ % addresses)}.1`)
      const connectedMs = performance.now()
      watch(socket)
      socket.resume().on('end', () => socket.destroy())
      socket.on('close', () => {
        const livedMs = performance.now() - connectedMs
        told.firstClosedMs = Math.min(told.firstClosedMs, livedMs)
        told.lastClosedMs = Math.max(told.lastClosedMs, livedMs)
      })
      sockets.push(socket)
    }
  }
  if (everyMs > 0) dripInto(sockets, everyMs)
  await Promise.all(Array.from({ length: AT_ONCE }, open))
}

/** Each gets its next octet every so many milliseconds; a tenth of them at a time. */
function dripInto(sockets: readonly Socket[], everyMs: number): void {
  const sent = new WeakMap<Socket, number>()
  let turn = 0
  setInterval(() => {
    turn = (turn + 1) % 10
    for (let i = turn; i < sockets.length; i += 10) {
      const socket = sockets[i] as Socket
      const at = sent.get(socket) ?? 0
      if (socket.destroyed || at === ENDLESS.length) continue
      socket.write(ENDLESS.subarray(at, at + 1))
      sent.set(socket, at + 1)
    }
  }, everyMs / 10)
}

async function hold(ports: ProxyPorts, echo: number, idle: number, active: number, everyMs: number): Promise<void> {
  await times(idle + active, AT_ONCE, async index => {
    const socket = await openTunnel(ports, 'socks5', { port: echo })
    watch(socket)
    held.push(
      new EchoTunnel(socket, index, ({ tookMs, wrong }) => {
        tripsMs[trips++ % TRIPS_KEPT] = tookMs
        told.wrong += wrong
      }),
    )
  })
  // Spread over the time: all at once would measure the queue in front of the last.
  let next = 0
  const partMs = everyMs / 10
  activity = setInterval(() => {
    for (const until = next + active / 10; next < until; next++) held[next % active]?.say(MESSAGE_OCTETS)
  }, partMs)
}

async function readMeasured(ports: ProxyPorts, measured: number, octets: number): Promise<void> {
  const socket = await openTunnel(ports, 'socks5', { port: measured })
  let offset = 0
  socket.on('data', (chunk: Buffer) => {
    told.wrong += wrongPieces(SOURCE_KEY, offset, chunk)
    offset += chunk.length
  })
  socket.write(String(octets))
  await once(socket, 'end')
  socket.end()
  if (offset !== octets) told.wrong++
  told.octets += offset
}

async function carry(asked: Extract<ToCrowd, { do: 'carry' }>): Promise<void> {
  const { ports, measured, octets, echo, echoes, echoOctets } = asked
  const echoed = times(echoes, echoes, async index => {
    const socket = await openTunnel(ports, 'socks5', { port: echo })
    const { promise, resolve } = Promise.withResolvers<void>()
    const tunnel = new EchoTunnel(socket, index, ({ wrong }) => {
      told.wrong += wrong
      resolve()
    })
    tunnel.say(echoOctets)
    await Promise.race([promise, once(socket, 'close')])
    told.octets += tunnel.received
    socket.destroy()
  })
  await Promise.all([readMeasured(ports, measured, octets), echoed])
}

/** What is asked for; resolves when it is set up, or, for what comes to an end, when that is there. */
async function begin(asked: Exclude<ToCrowd, { do: 'tell' | 'ask' }>): Promise<void> {
  switch (asked.do) {
    case 'streams':
      return streams(asked)
    case 'trickle':
      return trickle(asked.port, asked.count, asked.everyMs, asked.addresses)
    case 'hold':
      return hold(asked.ports, asked.echo, asked.idle, asked.active, asked.everyMs)
    case 'carry':
      return carry(asked)
  }
}

process.on('message', (asked: ToCrowd) => {
  if (asked.do === 'tell') {
    const unanswered = held.reduce((sum, { isAnswered }) => sum + (isAnswered ? 0 : 1), 0)
    process.send?.({ ...told, trips, tripP99Ms: p99(tripsMs), unanswered } satisfies CrowdTold)
  } else if (asked.do === 'ask') {
    clearInterval(activity)
    for (const tunnel of held) tunnel.say(MESSAGE_OCTETS)
  }
  // Those that could not come in are not among those that are open.
  else
    void begin(asked).then(
      () => (told.ready = true),
      () => (told.ready = true),
    )
})
process.on('disconnect', () => process.exit())

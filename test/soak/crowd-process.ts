/**
 * Many clients in a process of their own, which can be stopped and killed: those that read a stream, and those that never
 * come to the end of their handshake. Its parent says what to do and asks how it went.
 */
import type { Socket } from 'node:net'
import { PIECE_OCTETS_MAX, firstWrong } from '../simulation/world/pattern.ts'
import { type ProxyPorts, dial, openTunnel } from './client.ts'
import { SOURCE_KEY } from './target-words.ts'

/** `streams` reads from the source; `trickle` sends one octet of a handshake at a time, or none at all. */
export type ToCrowd =
  | { readonly do: 'streams'; readonly ports: ProxyPorts; readonly source: number; readonly count: number }
  | {
      readonly do: 'trickle'
      readonly port: number
      readonly count: number
      readonly everyMs: number
      readonly addresses: number
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
}

/** A greeting, and a request for a name so long that it does not end in time. */
const ENDLESS = Buffer.concat([Buffer.of(5, 1, 0, 5, 1, 0, 3, 255), Buffer.alloc(255, 'x')])
/** Between two reads of a stream: hundreds of readers must leave the machine to others. */
const REST_MS = 200
/** Connections that are opened at the same time. */
const AT_ONCE = 100

const told = { ready: false, open: 0, octets: 0, wrong: 0, firstClosedMs: Infinity, lastClosedMs: 0 }

function watch(socket: Socket): void {
  told.open++
  socket.on('close', () => told.open--)
}

async function streams(ports: ProxyPorts, source: number, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const socket = await openTunnel(ports, 'socks5', { port: source })
    watch(socket)
    let offset = 0
    socket.on('data', (chunk: Buffer) => {
      for (let at = 0; at < chunk.length; at += PIECE_OCTETS_MAX) {
        const piece = chunk.subarray(at, at + PIECE_OCTETS_MAX)
        if (firstWrong(SOURCE_KEY, offset, piece) !== -1) told.wrong++
        offset += piece.length
        told.octets += piece.length
      }
      socket.pause()
      setTimeout(() => socket.resume(), REST_MS)
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

process.on('message', (asked: ToCrowd) => {
  if (asked.do === 'tell') process.send?.(told satisfies CrowdTold)
  else {
    const work =
      asked.do === 'streams'
        ? streams(asked.ports, asked.source, asked.count)
        : trickle(asked.port, asked.count, asked.everyMs, asked.addresses)
    // Those that could not come in are not among those that are open.
    void work.catch(() => {}).then(() => (told.ready = true))
  }
})
process.on('disconnect', () => process.exit())

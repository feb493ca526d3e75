/**
 * A proxy that follows a script instead of a protocol: it waits for octets, answers octets in the pieces it was told, hangs
 * up, resets or stays silent. Knows no client.
 */
import type { Socket } from 'node:net'
import type { Scene } from '../scene.ts'

/** One step of a script. */
export type Act =
  /** Waits until so many further octets have come, or until the text has come. */
  | { readonly await: number | string }
  /** Sends; `pieces` cuts it at these positions, each piece in a segment of its own. */
  | { readonly send: Uint8Array; readonly pieces?: readonly number[] }
  /** Sends this again and again, until the connection is gone. */
  | { readonly flood: Uint8Array }
  | 'end'
  | 'reset'
  /** Nothing more, for ever. */
  | 'silence'

export interface RogueProxy {
  readonly port: number
  /** Connections that are open. */
  readonly open: Set<Socket>
  /** How many came. */
  readonly count: number
}

/** Every connection follows the script. */
export async function rogueProxy(scene: Scene, script: readonly Act[]): Promise<RogueProxy> {
  const open = new Set<Socket>()
  let count = 0
  const port = await scene.target(socket => {
    count++
    open.add(socket)
    socket.setNoDelay(true)
    // It ends its own direction only when the client has ended the other: whoever hangs up first is seen.
    socket.on('end', () => socket.end()).on('close', () => open.delete(socket))
    void follow(socket, script)
  })
  return {
    port,
    open,
    get count() {
      return count
    },
  }
}

async function follow(socket: Socket, script: readonly Act[]): Promise<void> {
  let inbox = Buffer.alloc(0)
  let wake = nobodyWaits
  socket.on('data', (octets: Buffer) => {
    inbox = Buffer.concat([inbox, octets])
    wake()
  })
  socket.on('close', () => wake())
  for (const act of script) {
    if (act === 'end') socket.end()
    else if (act === 'reset') socket.resetAndDestroy()
    else if (act === 'silence') return
    else if ('await' in act) {
      for (;;) {
        const taken = typeof act.await === 'number' ? act.await : inbox.indexOf(act.await) + 1 && inbox.length
        if (socket.destroyed || (taken > 0 && inbox.length >= taken)) {
          inbox = inbox.subarray(taken)
          break
        }
        await new Promise<void>(resolve => (wake = resolve))
      }
    } else if ('flood' in act) {
      while (!socket.destroyed) {
        if (!socket.write(act.flood))
          await new Promise<void>(resolve => socket.once('drain', resolve).once('close', resolve))
        else await new Promise<void>(resolve => setImmediate(resolve))
      }
    } else await sendPieces(socket, act.send, act.pieces ?? [])
  }
}

function nobodyWaits(): void {}

async function sendPieces(socket: Socket, octets: Uint8Array, cuts: readonly number[]): Promise<void> {
  const bounds = [0, ...cuts, octets.length]
  for (let i = 0; i + 1 < bounds.length; i++) {
    const piece = octets.subarray(bounds[i], bounds[i + 1])
    if (piece.length === 0 || socket.destroyed) continue
    socket.write(piece)
    // The client reads in the same process: after two turns of the loop it has taken this piece by itself.
    for (let turn = 0; turn < 2; turn++) await new Promise<void>(resolve => setImmediate(resolve))
  }
}

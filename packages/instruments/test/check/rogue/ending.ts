/** How the rogue ends a connection, rightly or with one of its faults. */
import type { Socket } from 'node:net'
import { failureOctets } from './place.ts'
import type { Reader } from './reader.ts'
import type { Rogue } from './terms.ts'

/** A failure reply, and the end behind it. */
export function refuse(rogue: Rogue, socket: Socket, reader: Reader, rep: number): void {
  reader.isServed = true
  const code = rogue.has('unassigned-codes') ? 0x5b : rep
  const octets = failureOctets(code)
  socket.write(rogue.has('short-failure') ? octets.subarray(0, 2) : octets)
  endAfterFailure(rogue, socket)
}

export function endAfterFailure(rogue: Rogue, socket: Socket): void {
  if (rogue.has('open-after-failure')) return
  if (rogue.has('reset-after-failure')) return void setImmediate(() => socket.resetAndDestroy())
  finish(socket)
}

/** FIN, and everything that still comes is thrown away, so that the kernel has no reason for RST. */
export function finish(socket: Socket): void {
  socket.resume()
  socket.on('data', () => {})
  socket.end()
  socket.once('end', () => socket.destroy())
}

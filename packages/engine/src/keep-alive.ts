/**
 * After which silence the kernel asks whether a peer is still there. Both engines spread it: connections that come together
 * must not be asked together. Opens no socket.
 */

/** Seconds of silence, at least. */
const KEEP_IDLE_SECONDS_MIN = 60
/**
 * The kernel's timers for such times expire together for two seconds, and a device takes about a thousand packets at once: of the
 * probes of ten thousand tunnels nine in ten were lost, time after time, until living peers were given up.
 */
const KEEP_IDLE_SPREAD_SECONDS = 60

let turn = 0

/** For the next connection, or the next few: a second more than for those before, and from the beginning again. */
export function nextKeepIdleSeconds(): number {
  turn = (turn + 1) % KEEP_IDLE_SPREAD_SECONDS
  return KEEP_IDLE_SECONDS_MIN + turn
}

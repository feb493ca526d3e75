/** The portable engine: Node's own sockets behind the ports. Runs everywhere, and is the reference for the others. */
import { IdleWheel } from '../idle-wheel.ts'
import type { Clock, Engine } from '../ports.ts'
import { DESCRIPTORS_MAX } from './descriptors.ts'
import { openDatagrams } from './node-datagrams.ts'
import { dial } from './node-dialer.ts'
import { facing } from './node-facing.ts'
import { listen } from './node-listener.ts'
import { startRelay } from './node-relay.ts'
import { NODE_SOCKET_OPTIONS } from './node-socket-options.ts'
import { secureAsClient } from './node-secure-client.ts'
import { NodeSecurity } from './node-secure.ts'
import { systemClock } from './system-clock.ts'

/** Makes a portable engine; tests hand in their own clock. */
export function createNodeEngine(clock: Clock = systemClock): Engine {
  const wheel = new IdleWheel(clock)
  const security = new NodeSecurity(clock)
  return {
    name: 'node',
    clock,
    descriptorsMax: DESCRIPTORS_MAX,
    socketOptions: NODE_SOCKET_OPTIONS,
    listen: (options, handler) => listen(clock, options, handler),
    dial: (to, options) => dial(clock, to, options),
    openDatagrams,
    facing,
    secure: (connection, early, options) => security.secure(connection, early, options),
    secureAsClient: (connection, early, options) => secureAsClient(clock, connection, early, options),
    relay: options => startRelay(options, clock, wheel),
  }
}

/** DNS over TCP (RFC 7766), straight or along a route: one connection for one question. */
import type { Connection } from '@socksmith/engine'
import { type Destination, type Failure, concat, failure, uint16, uint16At } from '@socksmith/protocol'
import { type DnsGround, SERVER_MS, dialServer, firstAnswer } from './ground.ts'
import type { DnsExchange } from './lookup.ts'

export function tcpExchange(ground: DnsGround, servers: readonly Destination[]): DnsExchange {
  return query => firstAnswer(servers, server => askByTcp(ground, server, query))
}

/** One question to one server. */
export async function askByTcp(
  ground: DnsGround,
  server: Destination,
  query: Uint8Array,
): Promise<Uint8Array | Failure> {
  const dialled = await dialServer(ground, server)
  if ('code' in dialled) return dialled
  const { connection, early } = dialled
  const timer = ground.engine.clock.after(SERVER_MS, () => connection.destroy())
  const answer = readMessage(connection, early)
  connection.write(concat([Uint8Array.from(uint16(query.length)), query]))
  const message = await answer
  timer.cancel()
  connection.destroy()
  return message ?? failure('name_timed_out', 'target', 'the name server does not answer')
}

/** RFC 7766 section 8: two octets of length in front. `undefined` when the stream ends before. */
function readMessage(connection: Connection, early: Uint8Array): Promise<Uint8Array | undefined> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>()
  let octets = early
  const look = (): void => {
    const end = octets.length < 2 ? Infinity : 2 + uint16At(octets, 0)
    if (octets.length >= end) resolve(octets.slice(2, end))
  }
  connection.read({
    onOctets(more) {
      octets = concat([octets, more])
      look()
    },
    onEnd: () => resolve(undefined),
    onClose: () => resolve(undefined),
  })
  look()
  return promise
}

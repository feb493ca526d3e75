/** DNS over UDP (RFC 1035), straight or by the associations of SOCKS5 servers; by TCP what does not fit into a datagram. */
import { openUdpPath, toRoute } from '@socksmith/client/route'
import { type Destination, type Failure, failure, sameAddress, uint16At, unmapped } from '@socksmith/protocol'
import { failureOfRoute } from '../route-failure.ts'
import { type DnsGround, SERVER_MS, firstAnswer } from './ground.ts'
import type { DnsExchange } from './lookup.ts'
import { askByTcp } from './tcp-exchange.ts'

/** RFC 1035 section 4.1.1: the answer was cut. */
const TC = 0x0200
/** Milliseconds until the question is sent again: a datagram may be lost on its way. */
const REPEAT_MS = 1_500
const HEADER_OCTETS = 12

export function udpExchange(ground: DnsGround, servers: readonly Destination[]): DnsExchange {
  return query =>
    firstAnswer(servers, async server => {
      const answer = await askByUdp(ground, server, query)
      const isCut = answer instanceof Uint8Array && (uint16At(answer, 2) & TC) !== 0
      return isCut ? await askByTcp(ground, server, query) : answer
    })
}

async function askByUdp(ground: DnsGround, server: Destination, query: Uint8Array): Promise<Uint8Array | Failure> {
  const { engine, route = toRoute('direct'), resolver } = ground
  const { promise, resolve } = Promise.withResolvers<Uint8Array | Failure>()
  const handler = {
    onDatagram(data: Uint8Array, from: Destination) {
      const isAnswer = data.length >= HEADER_OCTETS && uint16At(data, 0) === uint16At(query, 0)
      if (isAnswer && isFrom(server, from)) resolve(new Uint8Array(data))
    },
    onClose: () => resolve(failure('general_failure', 'target', 'the association ended')),
  }
  const opened = await openUdpPath(engine, route, handler, { resolver, timeoutMs: SERVER_MS }).result
  if ('code' in opened) return failureOfRoute(opened)
  const { path } = opened
  const send = (): void => void path.send(query, server)
  const timers = [
    engine.clock.after(REPEAT_MS, send),
    engine.clock.after(SERVER_MS, () =>
      resolve(failure('name_timed_out', 'target', 'the name server does not answer')),
    ),
  ]
  send()
  const answer = await promise
  for (const timer of timers) timer.cancel()
  path.close()
  return answer
}

function isFrom(server: Destination, { address, port }: Destination): boolean {
  if (port !== server.port) return false
  // What a proxy calls its sender is its own affair when it was given a name.
  if (server.address.type === 'domain' || address.type === 'domain') return true
  return sameAddress(unmapped(server.address), unmapped(address))
}

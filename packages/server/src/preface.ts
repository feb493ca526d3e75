/**
 * What may stand in front of the handshake: a PROXY protocol header from a trusted network, then TLS. Both are over
 * before the first octet of SOCKS or HTTP. Knows no session.
 */
import type { Connection, Engine, Place } from '@socksmith/engine'
import {
  type Endpoint,
  type Failure,
  NO_OCTETS,
  concat,
  decodeProxyV1,
  decodeProxyV2,
  failure,
} from '@socksmith/protocol'
import { containsAny } from '@socksmith/policy'
import type { ListenerOptions } from './options.ts'

export interface Preface {
  readonly connection: Connection
  /** Who the client is. */
  readonly client: Place
  /** Octets behind the preface that were read with it. */
  readonly early: Uint8Array
}

/** First octet of the text form; the other form begins with CR. */
const PROXY_V1_FIRST = 0x50

/** Reads what the listener expects; a failure means that the connection is gone. */
export async function readPreface(
  engine: Engine,
  connection: Connection,
  listener: ListenerOptions,
  timeoutMs: number,
): Promise<Preface | Failure> {
  let client: Place = connection.remote
  let early: Uint8Array = NO_OCTETS
  if (isTrusted(listener, client)) {
    const header = await readProxyHeader(engine, connection, timeoutMs)
    if ('code' in header) return header
    early = header.early
    if (header.source !== undefined) client = { kind: 'ip', endpoint: header.source }
  }
  if (listener.tls === undefined) return { connection, client, early }
  const secured = await engine.secure(connection, early, listener.tls())
  return 'code' in secured ? secured : { connection: secured, client, early: NO_OCTETS }
}

/** True when a PROXY header must come first: only its senders are believed, and they must send one. */
export function isTrusted(listener: ListenerOptions, peer: Place): boolean {
  const networks = listener.proxyProtocolFrom
  return networks !== undefined && peer.kind === 'ip' && containsAny(networks, peer.endpoint.address)
}

interface ProxyHeader {
  /** Absent for LOCAL and UNKNOWN: the socket's own peer counts. */
  readonly source?: Endpoint
  readonly early: Uint8Array
}

function readProxyHeader(engine: Engine, connection: Connection, timeoutMs: number): Promise<ProxyHeader | Failure> {
  return new Promise(resolve => {
    let inbox: Uint8Array = NO_OCTETS
    const settle = (result: ProxyHeader | Failure): void => {
      timer.cancel()
      connection.pause()
      if ('code' in result) connection.destroy()
      resolve(result)
    }
    const timer = engine.clock.after(timeoutMs, () => settle(failure('timed_out', 'client', 'no PROXY header in time')))
    let isOver = false
    const finish = (result: ProxyHeader | Failure): void => {
      if (isOver) return
      isOver = true
      settle(result)
    }
    connection.read({
      onOctets(octets) {
        inbox = concat([inbox, octets])
        if (isOver) return
        const decoded = decodeHeader(inbox)
        if (decoded !== 'need-more') finish(decoded)
      },
      onEnd: () => finish(failure('truncated', 'client', 'the stream ended inside the PROXY header')),
      onClose: () => finish(failure('truncated', 'client', 'the connection closed inside the PROXY header')),
    })
  })
}

function decodeHeader(inbox: Uint8Array): ProxyHeader | Failure | 'need-more' {
  const decoded = inbox[0] === PROXY_V1_FIRST ? decodeProxyV1(inbox) : decodeProxyV2(inbox)
  if (decoded.kind === 'need-more') return 'need-more'
  if (decoded.kind === 'malformed') return decoded.failure
  const early = inbox.slice(decoded.consumed)
  const header = decoded.value
  if ('family' in header) return header.family === 'UNKNOWN' ? { early } : { source: header.source, early }
  return header.addresses?.kind === 'ip' ? { source: header.addresses.source, early } : { early }
}

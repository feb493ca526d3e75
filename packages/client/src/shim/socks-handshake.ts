/**
 * One handshake of the `socks` shim over a stream that is connected already. Leaves the stream as a new one: nothing
 * is read ahead, nothing listens, and what came behind the reply is put back. Opens and closes nothing.
 */
import { domainToASCII } from 'node:url'
import type { Duplex } from 'node:stream'
import {
  ClientHandshake,
  type ClientHandshakeEvent,
  type ClientHandshakeOptions,
  type Destination,
  type ExchangeStep,
  type Failure,
  type Method,
  NEED_MORE,
  failure,
  noneMethod,
  parseIp,
  userPasswordClient,
  utf8Octets,
} from '@socksmith/protocol'
import type { SocksClientOptions, SocksProxy, SocksRemoteHost } from './socks-options.ts'

/** What a handshake tells. After `onEstablished` or `onFailure` nothing follows. */
export interface HandshakeListener {
  /** First reply to BIND. */
  onListening(bound: Destination): void
  onEstablished(bound: Destination): void
  onFailure(why: Failure): void
}

/** Starts it. The returned function stops listening to the stream. */
export function runHandshake(
  stream: Duplex,
  handshakeOptions: ClientHandshakeOptions,
  proxy: SocksProxy,
  listener: HandshakeListener,
): () => void {
  const handshake = new ClientHandshake(handshakeOptions)

  const onEvents = (events: readonly ClientHandshakeEvent[]): void => {
    for (const event of events) onEvent(event)
  }
  const onEvent = (event: ClientHandshakeEvent): void => {
    switch (event.kind) {
      case 'send':
        stream.write(event.octets)
        break
      case 'prompt':
        judge(proxy, event.text).then(
          verdict => onEvents(handshake.respond(verdict)),
          () => onEvents(handshake.respond(REJECTED)),
        )
        break
      case 'listening':
        listener.onListening(event.bound)
        break
      case 'established': {
        stop()
        const remainder = handshake.takeRemainder()
        if (remainder.length > 0) stream.unshift(remainder)
        listener.onEstablished(event.bound)
        break
      }
      case 'failed':
        stop()
        listener.onFailure(event.failure)
    }
  }
  // Reading by hand and not by 'data': the stream then stays as if nobody had read it.
  const onReadable = (): void => {
    while (handshake.phase !== 'established' && handshake.phase !== 'failed') {
      const octets = stream.read() as Buffer | null
      if (octets === null) return
      onEvents(handshake.receive(octets))
    }
  }
  const onEnd = (): void => onEvents(handshake.endOfStream())
  const stop = (): void => {
    stream.off('readable', onReadable).off('end', onEnd)
  }
  stream.on('readable', onReadable).on('end', onEnd)
  onEvents(handshake.start())
  return stop
}

/** The request in the words of the protocol. Asks the handler of a custom method, which may take its time. */
export async function handshakeOptionsOf({
  command,
  destination,
  proxy,
}: SocksClientOptions): Promise<ClientHandshakeOptions> {
  const request = {
    command: command === 'associate' ? ('udp-associate' as const) : command,
    destination: destinationOf(destination),
  }
  if (proxy.type === 4) return { protocol: 'socks4', ...request, userid: utf8Octets(proxy.userId ?? '') }
  const methods: Method[] = [noneMethod]
  if (proxy.userId !== undefined || proxy.password !== undefined) {
    const [username, password] = [utf8Octets(proxy.userId ?? ''), utf8Octets(proxy.password ?? '')]
    methods.push(userPasswordClient({ username, password }))
  }
  if (proxy.custom_auth_method !== undefined) {
    const sent = (await proxy.custom_auth_request_handler?.()) ?? new Uint8Array(0)
    methods.push(customMethod(proxy.custom_auth_method, sent, proxy.custom_auth_response_size ?? 0))
  }
  return { protocol: 'socks5', ...request, methods }
}

/** A host and a port as SOCKS carries them; a name goes out in the form that name servers know. */
export function destinationOf({ host, port }: SocksRemoteHost): Destination {
  return { address: parseIp(host) ?? { type: 'domain', name: domainToASCII(host) || host }, port }
}

const ACCEPTED = Uint8Array.of(1)
const REJECTED = Uint8Array.of(0)

/** A request, and a response of so many octets that the caller judges. */
function customMethod(number: number, sent: Uint8Array, responseOctets: number): Method {
  return {
    number,
    begin: () => ({
      begin: () => ({ kind: 'continue', consumed: 0, send: sent }),
      read: (octets): ExchangeStep =>
        octets.length < responseOctets
          ? NEED_MORE
          : { kind: 'prompt', consumed: responseOctets, text: octets.slice(0, responseOctets) },
      respond: (verdict): ExchangeStep =>
        verdict[0] === ACCEPTED[0]
          ? { kind: 'done', consumed: 0 }
          : { kind: 'failed', failure: failure('auth_rejected', 'server', 'the custom method was not accepted') },
    }),
  }
}

async function judge(proxy: SocksProxy, response: Uint8Array): Promise<Uint8Array> {
  const isAccepted = await proxy.custom_auth_response_handler?.(Buffer.from(response))
  return isAccepted === true ? ACCEPTED : REJECTED
}

/** The rogue's BIND, for both versions. */
import { once } from 'node:events'
import { type AddressInfo, type Socket, createServer } from 'node:net'
import { type Speech, join } from './connect.ts'
import { type Place, hostText } from './place.ts'
import type { Reader } from './reader.ts'
import { finish } from './ending.ts'
import type { Rogue } from './terms.ts'

export async function serveBind(
  rogue: Rogue,
  client: Socket,
  reader: Reader,
  place: Place,
  speech: Speech,
): Promise<void> {
  reader.isServed = true
  const listener = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true })
  const at = rogue.options.host ?? '127.0.0.1'
  listener.listen(0, at)
  await once(listener, 'listening')
  rogue.sockets.add({ destroy: () => listener.close() })
  const { port } = listener.address() as AddressInfo
  const first = rogue.has('bind-port-zero') ? 0 : port
  client.write(speech.success({ host: rogue.has('bind-at-zeros') ? '0.0.0.0' : at, port: first }))
  if (rogue.has('second-reply-at-once')) client.write(speech.success({ host: '127.0.0.1', port: 1 }))
  if (!rogue.has('bind-outlives-client')) client.once('close', () => listener.close())
  client.once('end', () => client.destroy())
  const expected = place.kind === 'ip' ? hostText(place.octets) : '127.0.0.1'
  listener.on('connection', peer => {
    rogue.sockets.add(peer)
    peer.on('error', () => {})
    if (peer.remoteAddress !== expected && !rogue.has('bind-any-peer'))
      return onStranger(rogue, client, peer, speech, () => listener.close())
    if (!rogue.has('bind-takes-all')) listener.close()
    client.removeAllListeners('end')
    onPeer(rogue, client, reader, peer, speech)
  })
}

function onStranger(rogue: Rogue, client: Socket, peer: Socket, speech: Speech, close: () => void): void {
  peer.destroy()
  if (speech.is4 !== true && !rogue.has('stranger-ends-bind')) return
  close()
  if (rogue.has('s4-stranger-silent')) return
  client.write(speech.failure(2))
  finish(client)
}

function onPeer(rogue: Rogue, client: Socket, reader: Reader, peer: Socket, speech: Speech): void {
  const told = rogue.has('bind-tells-itself') ? peer.localPort : peer.remotePort
  const octets = speech.success({ host: peer.remoteAddress ?? '', port: told ?? 0 })
  if (!(rogue.has('s4-one-reply') && speech.is4 === true)) client.write(octets)
  if (!rogue.has('bind-no-relay')) join(rogue, client, peer, reader.release())
}

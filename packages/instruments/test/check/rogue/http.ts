/** The rogue's HTTP: refused, but for the faults that forget the password there. */
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { join } from './connect.ts'
import type { Reader } from './reader.ts'
import { finish } from './ending.ts'
import type { Rogue } from './terms.ts'

export async function serveHttp(rogue: Rogue, socket: Socket, reader: Reader): Promise<void> {
  const isConnect = (await reader.peek(1))?.[0] === 0x43
  const fault = isConnect ? 'http-connect-open' : 'http-get-open'
  if (!rogue.has(fault)) {
    socket.write('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    return finish(socket)
  }
  const head = (await reader.peek(16), reader.release().toString('latin1'))
  const [, host = '', port = ''] = /127\.0\.0\.1:(\d+)/.exec(head)?.[0].match(/(.*):(\d+)/) ?? []
  const target = connect({ host, port: Number(port), allowHalfOpen: true })
  rogue.sockets.add(target)
  target.on('connect', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
  join(rogue, socket, target, Buffer.alloc(0))
}

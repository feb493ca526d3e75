/** A socket at once, which is connected over a route later: for code that cannot wait for one. Knows no request. */
import type { Socket } from 'node:net'
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls'
import type { Route } from '../route/route.ts'
import { SocksSocket } from '../socket/socks-socket.ts'

export interface LazySocketOptions extends Omit<ConnectionOptions, 'host' | 'port'> {
  readonly host: string
  readonly port: number | string
}

/** Starts to connect. With `secure` it is a `TLSSocket`. */
export function lazySocket(route: Route, options: LazySocketOptions, secure: boolean): Socket {
  const { host, port, path: _, ...tls } = options
  const socket = new SocksSocket({ via: route })
  socket.connect(Number(port), host)
  return secure ? tlsConnect({ host, ...tls, socket }) : socket
}

/** SOCKS and HTTP clients of the soak, in raw octets: they share no code with what they load. Know no fault and no server. */
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'

/** The connection was lost where it should have gone on. */
export class Lost extends Error {}

/** The proxy has said no. */
export class Refused extends Error {
  /** REP of SOCKS5, CD of SOCKS4, or an HTTP status; -1 when no method was acceptable, -2 for a wrong password. */
  readonly reply: number

  constructor(reply: number) {
    super(`refused with ${reply}`)
    this.reply = reply
  }
}

/** How a tunnel is asked for. */
export type Way = 'socks4' | 'socks4a' | 'socks5' | 'socks5-name' | 'socks5-login' | 'http' | 'http-login'

/** Where the proxy listens: without and with a password, and behind a PROXY header. */
export interface ProxyPorts {
  readonly open: number
  readonly password: number
  readonly strangers: number
}

export interface Login {
  readonly name: string
  readonly password: string
}

/** A port on 127.0.0.1 or another IPv4 address; `name` is what the ways with a name ask for. */
export interface Target {
  readonly port: number
  readonly name?: string
  readonly address?: readonly [number, number, number, number]
}

export const LOOPBACK = [127, 0, 0, 1] as const

export interface OpenOptions {
  readonly login?: Login
  /** Where the client comes from. */
  readonly from?: string
}

/** What may be asked for, by its octet. */
export const COMMAND = { connect: 1, bind: 2, udpAssociate: 3 } as const

/** A socket to the proxy that keeps its error to itself and reads nothing by itself. */
export async function dial(port: number, from?: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, ...(from && { localAddress: from }) })
  socket.on('error', () => {})
  const connected = await new Promise<boolean>(resolve => {
    socket.once('connect', () => resolve(true))
    socket.once('close', () => resolve(false))
  })
  if (!connected) throw new Lost('not accepted')
  return socket
}

/** Exactly so many octets; what follows stays in the socket. Throws `Lost` when the stream ends before. */
export async function take(socket: Socket, count: number): Promise<Buffer> {
  const parts: Buffer[] = []
  for (let missing = count; missing > 0;) {
    const part =
      socket.readableLength > 0 ? (socket.read(Math.min(missing, socket.readableLength)) as Buffer | null) : null
    if (part !== null) {
      parts.push(part)
      missing -= part.length
    } else if (socket.readableEnded || socket.destroyed)
      throw new Lost(`${missing} of ${count} octets were still to come`)
    else await newsOf(socket)
  }
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
}

/** The count of what still comes, up to FIN; throws `Lost` at a reset. */
export async function restOf(socket: Socket): Promise<number> {
  let count = 0
  socket.on('data', (chunk: Buffer) => (count += chunk.length)).resume()
  if (!socket.readableEnded && !socket.destroyed) await Promise.race([once(socket, 'end'), closed(socket)])
  if (!socket.readableEnded) throw new Lost('reset instead of the end')
  return count
}

/** Resolves when the socket is closed, however. */
export function closed(socket: Socket): Promise<void> {
  return socket.closed ? Promise.resolve() : new Promise(resolve => socket.once('close', () => resolve()))
}

function newsOf(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    const onNews = (): void => {
      for (const event of ['readable', 'end', 'close']) socket.off(event, onNews)
      resolve()
    }
    for (const event of ['readable', 'end', 'close']) socket.on(event, onNews)
  })
}

/** A tunnel to the target; its socket has nothing to read but what the target says. */
export async function openTunnel(
  ports: ProxyPorts,
  way: Way,
  target: Target,
  options: OpenOptions = {},
): Promise<Socket> {
  const socket = await dial(way.endsWith('-login') ? ports.password : ports.open, options.from)
  try {
    if (way === 'socks4' || way === 'socks4a') await socks4(socket, target, way)
    else if (way === 'http' || way === 'http-login') await http(socket, target, options.login)
    else await socks5(socket, target, way, options.login)
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/** The octets of a SOCKS5 request; a name in place of the address when there is one. */
export function request(command: number, { port, name, address: ip = LOOPBACK }: Target): Buffer {
  const address =
    name === undefined ? Buffer.of(1, ...ip) : Buffer.concat([Buffer.of(3, name.length), Buffer.from(name)])
  return Buffer.concat([Buffer.of(5, command, 0), address, portOctets(port)])
}

/** What stands in front of a datagram to this port of 127.0.0.1 (RFC 1928 section 7). */
export function datagramHeader(port: number): Buffer {
  return Buffer.concat([Buffer.of(0, 0), request(0, { port }).subarray(2)])
}

/** Greets with or without a password; throws `Refused` when the proxy does not let it in. */
export async function greet(socket: Socket, login?: Login): Promise<void> {
  socket.write(Buffer.of(5, 1, login === undefined ? 0 : 2))
  const method = (await take(socket, 2))[1]
  if (method === 0xff) throw new Refused(-1)
  if (login === undefined) return
  const [name, password] = [Buffer.from(login.name), Buffer.from(login.password)]
  socket.write(Buffer.concat([Buffer.of(1, name.length), name, Buffer.of(password.length), password]))
  if ((await take(socket, 2))[1] !== 0) throw new Refused(-2)
}

/** Reads a SOCKS5 reply: the port of BND. Throws `Refused` for any REP but 0. */
export async function reply(socket: Socket): Promise<number> {
  const [, rep = 1, , type] = await take(socket, 4)
  const bound = await take(socket, type === 4 ? 18 : 6)
  if (rep !== 0) throw new Refused(rep)
  return bound.readUInt16BE(bound.length - 2)
}

async function socks5(socket: Socket, { name, ...target }: Target, way: Way, login?: Login): Promise<void> {
  await greet(socket, way === 'socks5-login' ? login : undefined)
  socket.write(request(COMMAND.connect, way === 'socks5-name' && name !== undefined ? { ...target, name } : target))
  await reply(socket)
}

async function socks4(socket: Socket, { port, name }: Target, way: Way): Promise<void> {
  const head = Buffer.concat([Buffer.of(4, 1), portOctets(port)])
  const isNamed = way === 'socks4a' && name !== undefined
  const address = isNamed ? Buffer.from(`\0\0\0\u{1}soak\0${name}\0`) : Buffer.from('\u{7f}\0\0\u{1}soak\0')
  socket.write(Buffer.concat([head, address]))
  const code = (await take(socket, 8))[1] ?? 0
  if (code !== 90) throw new Refused(code)
}

async function http(socket: Socket, { port, name = '127.0.0.1' }: Target, login?: Login): Promise<void> {
  const basic = login && Buffer.from(`${login.name}:${login.password}`).toString('base64')
  const authorization = basic === undefined ? '' : `Proxy-Authorization: Basic ${basic}\r\n`
  socket.write(`CONNECT ${name}:${port} HTTP/1.1\r\nHost: ${name}:${port}\r\n${authorization}\r\n`)
  let head = ''
  while (!head.endsWith('\r\n\r\n')) head += (await take(socket, 1)).toString('latin1')
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1])
  if (status !== 200) throw new Refused(status)
}

function portOctets(port: number): Buffer {
  return Buffer.of(port >> 8, port & 0xff)
}

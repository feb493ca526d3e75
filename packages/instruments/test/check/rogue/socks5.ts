/** The rogue's SOCKS5: greeting, login, request; hands over to connect, bind and udp. */
import type { Socket } from 'node:net'
import { serveBind } from './bind.ts'
import { serveConnect } from './connect.ts'
import { finish, refuse } from './ending.ts'
import { type Place, failureOctets, successOctets } from './place.ts'
import type { Reader } from './reader.ts'
import type { Rogue } from './terms.ts'
import { serveUdp } from './udp.ts'

export async function serveSocks5(rogue: Rogue, socket: Socket, reader: Reader): Promise<void> {
  const methods = await readGreeting(rogue, reader)
  if (methods === undefined) return giveUp(rogue, socket)
  const method = select(rogue, methods)
  if (method === 0xff) {
    if (rogue.has('closes-instead-of-ff')) return finish(socket)
    socket.write(Uint8Array.of(5, 0xff))
    if (rogue.has('ff-and-then-selects')) socket.write(Uint8Array.of(5, 2))
    if (rogue.has('open-after-ff')) return
    if (!rogue.has('serves-after-ff')) return finish(socket)
  } else {
    socket.write(rogue.has('long-selection') ? Uint8Array.of(5, method, 0) : Uint8Array.of(5, method))
    if (rogue.has('drops-behind-greeting')) reader.drop()
  }
  const access = method === 2 ? await logIn(rogue, socket, reader) : 'free'
  if (access !== 'none') await serveRequest(rogue, socket, reader, access)
}

function giveUp(rogue: Rogue, socket: Socket): void {
  if (!rogue.has('ignores-fin')) finish(socket)
}

async function readGreeting(rogue: Rogue, reader: Reader): Promise<readonly number[] | undefined> {
  if (rogue.has('waits-for-four')) await reader.peek(4)
  if (rogue.has('greeting-in-one-read') && reader.buffered < 3) return undefined
  const head = await reader.take(2)
  if (head === undefined) return undefined
  const count = head[1] as number
  const octets = await reader.take(rogue.has('methods-cut') ? Math.min(count, 16) : count)
  return octets === undefined ? undefined : [...octets]
}

function select(rogue: Rogue, offered: readonly number[]): number {
  const wanted = rogue.options.user === undefined ? 0 : 2
  if (rogue.has('always-open')) return 0
  if (rogue.has('own-method') && offered.includes(0x80)) return 0x80
  if (rogue.has('refuses-unknown-methods') && offered.some(method => method > 2)) return 0xff
  if (rogue.has('refuses-duplicates') && new Set(offered).size < offered.length) return 0xff
  if (rogue.has('selects-from-nothing') && offered.length === 0) return wanted
  if (rogue.has('always-password')) return 2
  if (rogue.has('client-decides') && !offered.includes(2) && offered.includes(0)) return 0
  if (rogue.has('prefers-none') && offered.includes(0)) return 0
  if (rogue.has('refuses-password-offers') && offered.includes(2)) return 0xff
  if (rogue.has('methods-cut')) return wanted
  return offered.includes(wanted) ? wanted : 0xff
}

/** `refused`: it may send a request, which gets REP 02. */
type Access = 'free' | 'refused' | 'none'

async function logIn(rogue: Rogue, socket: Socket, reader: Reader): Promise<Access> {
  if (rogue.has('login-is-optional') && (await reader.peek(1))?.[0] === 5) return 'free'
  const credentials = await readLogin(rogue, reader)
  if (credentials === undefined) {
    finish(socket)
    return 'none'
  }
  const judgement = judge(rogue, credentials)
  if (judgement !== 0 && rogue.has('closes-on-wrong-login')) {
    finish(socket)
    return 'none'
  }
  const status = rogue.has('judges-at-request') ? 0 : judgement
  const verdict = Uint8Array.of(rogue.has('login-version-5') ? 5 : 1, status)
  socket.write(rogue.has('long-verdict') ? Uint8Array.of(...verdict, 0) : verdict)
  if (rogue.has('drops-behind-login')) reader.drop()
  if (judgement === 0 || rogue.has('serves-after-bad-login')) return 'free'
  if (rogue.has('judges-at-request')) return 'refused'
  if (!rogue.has('open-after-bad-login')) finish(socket)
  return 'none'
}

/** Version, two lengths, and an octet each. */
const SHORTEST_LOGIN = 5

interface Credentials {
  readonly name: string
  readonly password: string
}

async function readLogin(rogue: Rogue, reader: Reader): Promise<Credentials | undefined> {
  if (rogue.has('login-in-one-read')) {
    await reader.peek(1)
    if (reader.buffered < SHORTEST_LOGIN) return { name: '', password: '' }
  }
  const head = await reader.take(2)
  if (head === undefined || (head[0] !== 1 && !rogue.has('any-login-version'))) return undefined
  const name = await reader.take(head[1] as number)
  const length = await reader.take(1)
  const password = await reader.take(length?.[0] ?? 0)
  if (name === undefined || password === undefined) return undefined
  if (rogue.has('login-cut') && name.length > 64) return undefined
  return { name: name.toString('latin1'), password: password.toString('latin1') }
}

function judge(rogue: Rogue, { name, password }: Credentials): number {
  const right = rogue.options.user ?? { name: '', password: '' }
  const isUser = name === right.name || (rogue.has('name-stops-at-nul') && name.split('\0')[0] === right.name)
  if (rogue.has('any-user') && password === right.password) return 0
  if (rogue.has('anonymous') && name === '' && password === '') return 0
  if (!isUser) return rogue.has('tells-unknown-users') ? 2 : 1
  if (rogue.has('takes-any-password') || password === right.password) return 0
  const isTaken =
    (rogue.has('takes-empty-password') && password === '') ||
    (rogue.has('takes-password-start') && password !== '' && right.password.startsWith(password)) ||
    (rogue.has('takes-longer-password') && password.startsWith(right.password)) ||
    (rogue.has('password-stops-at-nul') && password.split('\0')[0] === right.password) ||
    (rogue.has('password-ignores-case') && password.toLowerCase() === right.password.toLowerCase())
  return isTaken ? 0 : 1
}

async function serveRequest(
  rogue: Rogue,
  socket: Socket,
  reader: Reader,
  access: Exclude<Access, 'none'>,
): Promise<void> {
  const request = await readRequest(rogue, reader)
  if (request === undefined) return giveUp(rogue, socket)
  if (request === 'silent') return
  if (access === 'refused') return refuse(rogue, socket, reader, 2)
  if ('rep' in request) return refuse(rogue, socket, reader, request.rep)
  const { command, place } = request
  switch (command) {
    case 0:
    case 1:
      return serveConnect(rogue, socket, reader, place, {
        success: bound => successOctets(rogue, bound),
        failure: failureOctets,
      })
    case 2:
      return serveBind(rogue, socket, reader, place, {
        success: bound => successOctets(rogue, bound),
        failure: failureOctets,
      })
    default:
      return serveUdp(rogue, socket, reader, place)
  }
}

type Request = { readonly command: number; readonly place: Place } | { readonly rep: number } | 'silent' | undefined

async function readRequest(rogue: Rogue, reader: Reader): Promise<Request> {
  if (rogue.has('request-in-one-read')) {
    await reader.peek(1)
    if (reader.buffered < 10) return { rep: 1 }
  }
  const head = await reader.take(4)
  if (head === undefined) return undefined
  const [version, command = 0, , atyp = 0] = head
  if (version !== 5 && !rogue.has('any-request-version')) return { rep: 1 }
  const isKnown = command >= (rogue.has('command-zero-connects') ? 0 : 1) && command <= 3
  const type = atyp === 2 && rogue.has('atyp-2-is-ipv4') ? 1 : atyp
  const isType = [1, 3, 4].includes(type)
  if (rogue.has('atyp-before-command') && !isType) return { rep: 8 }
  if (!isKnown && !isType) return { rep: 7 }
  if (!isType) return { rep: rogue.has('unknown-atyp-is-01') ? 1 : 8 }
  const place = await readPlace(rogue, reader, type)
  if (place === undefined) return undefined
  if (isKnown) return { command, place }
  if (rogue.has('resolves-before-command') && place.kind === 'name') return 'silent'
  return { rep: rogue.has('unknown-command-is-01') ? 1 : 7 }
}

async function readPlace(rogue: Rogue, reader: Reader, atyp: number): Promise<Place | undefined> {
  const length = atyp === 1 ? 4 : atyp === 4 ? 16 : (await reader.take(1))?.[0]
  if (length === undefined) return undefined
  if (rogue.has('name-cut') && length > 128) return undefined
  const address = await reader.take(length)
  const port = (await reader.take(2))?.readUInt16BE()
  if (address === undefined || port === undefined) return undefined
  return atyp === 3 ? { kind: 'name', octets: address, port } : { kind: 'ip', octets: address, port }
}

/** The rogue's SOCKS4 and 4a. */
import type { Socket } from 'node:net'
import { serveBind } from './bind.ts'
import { type Speech, serveConnect } from './connect.ts'
import { type Endpoint, type Place, hostOctets, portOctets } from './place.ts'
import type { Reader } from './reader.ts'
import { finish } from './ending.ts'
import type { Rogue } from './terms.ts'

const USERID_MAX = 255
/** Of the fault that cuts user ids. */
const SHORT_USERID_MAX = 127

export async function serveSocks4(rogue: Rogue, socket: Socket, reader: Reader): Promise<void> {
  const request = await readRequest(rogue, reader)
  if (request === undefined) return finish(socket)
  if (request === 'silent') return
  const speech = speechOf(rogue)
  if (request === 'reject' || !mayCome(rogue, request)) {
    reader.isServed = true
    socket.write(speech.failure(1))
    return finish(socket)
  }
  if (request.command === 1) return serveConnect(rogue, socket, reader, request.place, speech)
  return serveBind(rogue, socket, reader, request.place, speech)
}

function mayCome(rogue: Rogue, { userid, place }: Request): boolean {
  const { user } = rogue.options
  if (user === undefined || rogue.has('s4-open')) return true
  if (rogue.has('s4-userid-is-login')) return userid === user.name
  return rogue.has('s4a-open') && place.kind === 'name'
}

function speechOf(rogue: Rogue): Speech {
  const reply = (code: number, { host, port }: Endpoint): Buffer => {
    const version = rogue.has('s4-version-4') ? 4 : 0
    const address = host.includes(':') ? Buffer.alloc(4) : hostOctets(host)
    const octets = Buffer.concat([Buffer.from([version, code]), portOctets(port), address])
    return rogue.has('s4-long-reply') ? Buffer.concat([octets, Buffer.alloc(1)]) : octets
  }
  return {
    success: bound => reply(rogue.has('s4-hex-90') ? 0x90 : 90, bound),
    failure: () => reply(91, { host: '0.0.0.0', port: 0 }),
    is4: true,
  }
}

interface Request {
  readonly command: number
  readonly place: Place
  readonly userid: string
}

async function readRequest(rogue: Rogue, reader: Reader): Promise<Request | 'reject' | 'silent' | undefined> {
  if (rogue.has('s4-in-one-read') && !(await cameWhole(reader))) return 'reject'
  const head = await reader.take(8)
  if (head === undefined) return undefined
  const userid = await readUserid(rogue, reader)
  if (userid === undefined) return undefined
  if (userid === 'too long') return 'reject'
  const [, command = 0] = head
  const port = head.readUInt16BE(2)
  const ip = head.subarray(4)
  const isZero = ip.every(octet => octet === 0)
  if (isZero && rogue.has('s4-zero-is-4a')) return 'silent'
  if (command !== 1 && command !== 2) return rogue.has('s4-silent-on-unknown') ? 'silent' : 'reject'
  const is4a = ip.subarray(0, 3).every(octet => octet === 0) && !isZero
  if (!is4a) return { command, place: { kind: 'ip', octets: ip, port }, userid: userid.toString() }
  const host = await reader.takeToNul(rogue.has('s4-endless') ? Infinity : USERID_MAX)
  if (host === undefined) return undefined
  if (host === 'too long') return 'reject'
  if (host.length === 0) return rogue.has('s4a-empty-is-here') ? { command, place: HERE(port), userid: '' } : 'reject'
  return { command, place: { kind: 'name', octets: host, port }, userid: userid.toString() }
}

const HERE = (port: number): Place => ({ kind: 'ip', octets: Buffer.from([127, 0, 0, 1]), port })

async function readUserid(rogue: Rogue, reader: Reader): Promise<Buffer | 'too long' | undefined> {
  if (rogue.has('s4-endless')) return reader.takeToNul(Infinity)
  const userid = await reader.takeToNul(rogue.has('s4-userid-cut') ? SHORT_USERID_MAX : USERID_MAX)
  return userid === 'too long' && rogue.has('s4-userid-cut') ? Buffer.alloc(0) : userid
}

/** The whole request is there with its first octet, and ends in NUL. */
async function cameWhole(reader: Reader): Promise<boolean> {
  await reader.peek(1)
  const all = await reader.peek(reader.buffered)
  return all !== undefined && all.length >= 9 && all.at(-1) === 0
}

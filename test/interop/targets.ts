/** What the programs reach through the proxy: servers on loopback that end with their test. Knows no proxy. */
import { createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { SERVER } from '../../packages/engine/test/data/certificates.ts'

/** Answers every request with its method, its path and its body; the port. */
export async function httpTarget(t: TestContext, scheme: 'http' | 'https', host = '127.0.0.1'): Promise<number> {
  const server =
    scheme === 'http' ? createHttpServer() : createHttpsServer({ cert: SERVER.certificate, key: SERVER.key })
  server.on('request', (request, response) => {
    response.write(`${request.method} ${request.url} `)
    request.pipe(response)
  })
  t.after(() => server.closeAllConnections())
  return listen(t, server, host)
}

/** Serves the files of a folder by HTTP; the port. */
export async function fileTarget(t: TestContext, folder: string): Promise<number> {
  const server = createHttpServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://target')
    readFile(join(folder, pathname)).then(
      octets => response.end(octets),
      () => response.writeHead(404).end(),
    )
  })
  t.after(() => server.closeAllConnections())
  return listen(t, server, '127.0.0.1')
}

/** Reads to the client's FIN and only then answers with the SHA-256 of what came: needs half-close; the port. */
export function digestTarget(t: TestContext, host = '127.0.0.1'): Promise<number> {
  return tcpTarget(t, host, socket => {
    const hash = createHash('sha256')
    socket.on('data', octets => hash.update(octets))
    socket.on('end', () => socket.end(hash.digest('hex')))
  })
}

/** What `digestTarget` answers to these octets. */
export function digestOf(octets: string): string {
  return createHash('sha256').update(octets).digest('hex')
}

/** Sends back what it gets; the port. */
export function echoTarget(t: TestContext, host = '127.0.0.1'): Promise<number> {
  return tcpTarget(t, host, socket => socket.pipe(socket))
}

/** Hands every connection, half-open allowed, to the function; the port. */
export function tcpTarget(t: TestContext, host: string, serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket)
    // A client that resets is its own test's business.
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    serve(socket)
  })
  t.after(() => {
    for (const socket of sockets) socket.destroy()
  })
  return listen(t, server, host)
}

async function listen(t: TestContext, server: Server, host: string): Promise<number> {
  server.listen(0, host)
  t.after(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** The name that `dnsTarget` knows. */
export const NAME = 'target.example'

/** Answers every datagram with the same octets; the port. */
export function udpEchoTarget(t: TestContext): Promise<number> {
  return udpTarget(t, octets => octets)
}

/** A DNS server that answers A questions with 127.0.0.1 if they ask for `NAME`, all others with nothing; the port. */
export function dnsTarget(t: TestContext): Promise<number> {
  return nameServer(t, name => (name === NAME ? ['127.0.0.1'] : []))
}

/** A DNS server that answers A questions with what `addressesOf` says of the name, in lower case; the port. */
export function nameServer(t: TestContext, addressesOf: (name: string) => readonly string[]): Promise<number> {
  return udpTarget(t, query => dnsAnswer(query, addressesOf))
}

async function udpTarget(t: TestContext, answer: (octets: Buffer) => Buffer): Promise<number> {
  const socket = createSocket('udp4', (octets, from) => socket.send(answer(octets), from.port, from.address))
  t.after(() => socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket.address().port
}

// RFC 1035 section 4.1: the header is 12 octets, the question's name ends with an empty label.
const QUESTION_AT = 12
const TYPE_A = 1

function dnsAnswer(query: Buffer, addressesOf: (name: string) => readonly string[]): Buffer {
  const nameEnd = query.indexOf(0, QUESTION_AT) + 1
  const question = query.subarray(QUESTION_AT, nameEnd + 4)
  const labels: string[] = []
  for (let at = QUESTION_AT; query[at]; at += 1 + (query[at] as number)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + (query[at] as number)))
  }
  const addresses = query.readUInt16BE(nameEnd) === TYPE_A ? addressesOf(labels.join('.').toLowerCase()) : []
  // A response, authoritative, recursion available; one question.
  const header = Buffer.from([...query.subarray(0, 2), 0x85, 0x80, 0, 1, 0, addresses.length, 0, 0, 0, 0])
  // Each answer's name points at the question's; class IN, no time to be kept, four octets.
  const records = addresses.map(address =>
    Buffer.from([0xc0, QUESTION_AT, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]),
  )
  return Buffer.concat([header, question, ...records])
}

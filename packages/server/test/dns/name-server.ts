/** A name server on loopback that speaks UDP and TCP at one port, or HTTPS, and counts what it is asked. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, type Server, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { AUTHORITY, SERVER } from '../../../engine/test/data/certificates.ts'
import {
  DNS_TYPE,
  type DnsMessage,
  concat,
  decodeDnsMessage,
  encodeDnsAnswer,
  encodeDnsMessage,
  parseIp,
  uint16,
} from '@socksmith/protocol'

export interface NameServer {
  readonly port: number
  /** How often it was asked for something, by what. */
  readonly asked: { udp: number; tcp: number }
}

/** Addresses by name; every other name does not exist. `truncated`: answers by UDP are cut. */
export async function openNameServer(
  t: TestContext,
  names: Readonly<Record<string, readonly string[]>>,
  { truncated = false, ttl = 60 }: { readonly truncated?: boolean; readonly ttl?: number } = {},
): Promise<NameServer> {
  const asked = { udp: 0, tcp: 0 }
  const socket = createSocket('udp4', (octets, from) => {
    asked.udp++
    const answer = answerTo(octets, names, ttl, truncated)
    if (answer !== undefined) socket.send(answer, from.port, from.address)
  })
  t.after(() => socket.close())
  const server = createServer(stream => {
    stream.on('error', () => {})
    let heard = Buffer.alloc(0)
    stream.on('data', (octets: Buffer) => {
      heard = Buffer.concat([heard, octets])
      if (heard.length < 2 || heard.length < 2 + heard.readUInt16BE(0)) return
      asked.tcp++
      const answer = answerTo(heard.subarray(2), names, ttl) ?? new Uint8Array(0)
      stream.write(concat([Uint8Array.from(uint16(answer.length)), answer]))
    })
  })
  const port = await listening(t, server)
  // The same number, which is free but by great misfortune.
  await once(socket.bind(port, '127.0.0.1'), 'listening')
  return { port, asked }
}

export interface HttpsNameServer {
  /** For a server of the name localhost. */
  readonly url: string
  /** PEM, and where it stands. */
  readonly authority: string
  readonly authorityFile: string
  readonly asked: { count: number }
}

/** The same by HTTPS; its certificate is for localhost. */
export async function openHttpsNameServer(
  t: TestContext,
  names: Readonly<Record<string, readonly string[]>>,
): Promise<HttpsNameServer> {
  const folder = mkdtempSync(join(tmpdir(), 'socksmith-dns-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const authorityFile = join(folder, 'authority.pem')
  writeFileSync(authorityFile, AUTHORITY)
  const asked = { count: 0 }
  const server = createHttpsServer({ key: SERVER.key, cert: SERVER.certificate }, (request, response) => {
    void buffer(request).then(octets => {
      asked.count++
      const isRight = request.method === 'POST' && request.headers['content-type'] === 'application/dns-message'
      const answer = isRight ? answerTo(octets, names, 60) : undefined
      response.writeHead(answer === undefined ? 400 : 200, { 'Content-Type': 'application/dns-message' })
      response.end(answer)
    })
  })
  t.after(() => server.closeAllConnections())
  return {
    url: `https://localhost:${await listening(t, server)}/dns-query`,
    authority: AUTHORITY,
    authorityFile,
    asked,
  }
}

function answerTo(
  octets: Uint8Array,
  names: Readonly<Record<string, readonly string[]>>,
  ttl: number,
  truncated = false,
): Uint8Array | undefined {
  const decoded = decodeDnsMessage(octets)
  if (decoded.kind === 'malformed') return undefined
  const query: DnsMessage = decoded.value
  const { id, question } = query
  const addresses = names[question.name]
  if (truncated) return encodeDnsMessage({ id, flags: 0x8380, question, answers: [] })
  if (addresses === undefined) return encodeDnsMessage({ id, flags: 0x8183, question, answers: [] })
  const family = question.type === DNS_TYPE.a ? 'ipv4' : 'ipv6'
  const found = addresses.flatMap(text => parseIp(text) ?? []).filter(({ type }) => type === family)
  return encodeDnsAnswer(
    query,
    found.map(one => one.octets),
    ttl,
  )
}

async function listening(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

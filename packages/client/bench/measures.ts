/** What is measured, and for whom. Each measurement runs for about so many seconds and tells how much it did per second. */
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { request as undiciRequest } from 'undici'
import { AUTHORITY } from '../../engine/test/data/certificates.ts'
import {
  type AgentMaker,
  type Contestant,
  type DispatcherMaker,
  type Opener,
  agents,
  dispatchers,
  openers,
} from './contestants.ts'
import { HOST, TARGET } from './targets.ts'

/** One contestant in one row. */
export interface Run {
  readonly name: string
  readonly run: (seconds: number) => Promise<number>
}

/** One line of the report. */
export interface Row {
  readonly title: string
  readonly unit: string
  /** Ours first. */
  readonly runs: readonly Run[]
}

/** At the same time, where there are several. */
export const CONCURRENCY = 16
const ROUND_TRIP_OCTETS = 64
const MIB = 2 ** 20

/** All of them; `proxyPort` is where the counterpart listens. */
export function rowsFor(proxyPort: number): readonly Row[] {
  return [
    row('connections opened, each with one octet there and back', '/s', openers(proxyPort), opening),
    row('one stream down', 'MiB/s', openers(proxyPort), download),
    row(`${ROUND_TRIP_OCTETS} octets there and back, ${CONCURRENCY} streams`, '/s', openers(proxyPort), roundTrips),
    row('http.get, a connection for each', '/s', agents(proxyPort), (make, seconds) => gets(make({}), seconds)),
    row('http.get, connections kept', '/s', agents(proxyPort), (make, seconds) =>
      gets(make({ keepAlive: true, maxSockets: CONCURRENCY }), seconds),
    ),
    row('https.get, one body of 64 MiB after the other', 'MiB/s', agents(proxyPort), secureDownload),
    row('undici.request, a connection for each', '/s', dispatchers(proxyPort), (make, s) => requests(make, s, true)),
    row('undici.request, connections kept', '/s', dispatchers(proxyPort), (make, s) => requests(make, s, false)),
  ]
}

function row<T>(
  title: string,
  unit: string,
  contestants: readonly Contestant<T>[],
  measure: (make: T, seconds: number) => Promise<number>,
): Row {
  const runs = contestants.map(({ name, make }) => ({ name, run: (seconds: number) => measure(make, seconds) }))
  return { title, unit, runs }
}

async function opening(open: Opener, seconds: number): Promise<number> {
  return repeating(seconds, async () => {
    const socket = await open(TARGET.echo)
    const echoed = firstData(socket)
    socket.write('!')
    await echoed
    socket.resetAndDestroy()
  })
}

async function download(open: Opener, seconds: number): Promise<number> {
  const socket = await open(TARGET.source)
  let octets = 0
  socket.on('data', chunk => (octets += chunk.length))
  const rate = await rateOf(seconds, () => octets)
  socket.resetAndDestroy()
  return rate / MIB
}

async function roundTrips(open: Opener, seconds: number): Promise<number> {
  const message = Buffer.alloc(ROUND_TRIP_OCTETS)
  let trips = 0
  const sockets = await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      const socket = await open(TARGET.echo)
      let missing = ROUND_TRIP_OCTETS
      socket.on('data', chunk => {
        missing -= chunk.length
        if (missing > 0) return
        missing = ROUND_TRIP_OCTETS
        trips++
        socket.write(message)
      })
      return socket
    }),
  )
  for (const socket of sockets) socket.write(message)
  const rate = await rateOf(seconds, () => trips)
  for (const socket of sockets) socket.resetAndDestroy()
  return rate
}

async function gets(agent: http.Agent, seconds: number): Promise<number> {
  const rate = await repeating(seconds, () => got(http.get({ host: HOST, port: TARGET.web, agent })))
  agent.destroy()
  return rate
}

async function secureDownload(make: AgentMaker, seconds: number): Promise<number> {
  const agent = make({ keepAlive: true })
  const options = { host: HOST, port: TARGET.secureWeb, path: '/big', ca: AUTHORITY, agent }
  const untilMs = performance.now() + seconds * 1_000
  let octets = 0
  const getting = (async () => {
    while (performance.now() < untilMs) await got(https.get(options), chunk => (octets += chunk.length))
  })()
  const rate = await rateOf(seconds, () => octets)
  await getting
  agent.destroy()
  return rate / MIB
}

async function requests(make: DispatcherMaker, seconds: number, reset: boolean): Promise<number> {
  const dispatcher = make()
  const rate = await repeating(seconds, async () => {
    const { body } = await undiciRequest(`http://${HOST}:${TARGET.web}/`, { dispatcher, reset })
    await body.dump()
  })
  await dispatcher.destroy()
  return rate
}

function got(request: http.ClientRequest, onChunk: (chunk: Buffer) => void = () => {}): Promise<void> {
  return new Promise((resolve, reject) => {
    request.on('error', reject).on('response', (response: IncomingMessage) => {
      response.on('data', onChunk).on('end', () => resolve())
    })
  })
}

function firstData(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('data', () => resolve()).once('close', () => reject(new Error('closed before the first octet')))
  })
}

/** How often per second `once` can be done, by so many at the same time. */
async function repeating(seconds: number, once: () => Promise<void>): Promise<number> {
  const untilMs = performance.now() + seconds * 1_000
  let done = 0
  const workers = Array.from({ length: CONCURRENCY }, async () => {
    while (performance.now() < untilMs) {
      await once()
      done++
    }
  })
  const [rate] = await Promise.all([rateOf(seconds, () => done), ...workers])
  return rate
}

/** What the count rises by per second. */
async function rateOf(seconds: number, count: () => number): Promise<number> {
  const [startedMs, before] = [performance.now(), count()]
  await setTimeout(seconds * 1_000)
  return ((count() - before) / (performance.now() - startedMs)) * 1_000
}

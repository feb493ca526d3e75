/** What the tests of rules ask with: curl, web servers that tell their port, and times around now as rules write them. */
import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { runProgram } from './program.ts'
import type { Proxy } from './server.ts'

/** How something is asked for; what is left out is the plainest. */
export interface Ask {
  /** curl's flag for the proxy. */
  readonly by?: 'socks4' | 'socks4a' | 'socks5' | 'socks5-hostname' | 'http' | 'tunnel'
  readonly host?: string
  readonly login?: string
  /** The client's address. */
  readonly from?: string
  readonly listener?: 'front' | 'side'
}

/** What curl gets: the page, or the reply with which the proxy refused it. */
export async function curl(t: TestContext, proxy: Proxy, port: number, asked: Ask): Promise<string> {
  const { by = 'socks5-hostname', host = '127.0.0.1', login, from, listener = 'front' } = asked
  const [front, side] = [...proxy.ready.matchAll(/127\.0\.0\.1:\d+/g)].map(([at]) => at)
  const how = by === 'http' ? ['--proxy'] : by === 'tunnel' ? ['--proxytunnel', '--proxy'] : [`--${by}`]
  const { code, stdout, stderr } = await runProgram(t, 'curl', [
    '--disable',
    '--silent',
    '--show-error',
    '--fail',
    '--noproxy',
    '',
    '--max-time',
    '60',
    ...how,
    (listener === 'side' ? side : front) ?? '',
    ...(login === undefined ? [] : ['--proxy-user', login]),
    ...(from === undefined ? [] : ['--interface', from]),
    `http://${host}:${port}/`,
  ])
  if (code === 0) return stdout
  const said = /\((\d+)\)|(?:response|error:) (\d+)/.exec(stderr.replace(/^curl: \(\d+\)/, ''))
  if (said !== null) return `refused: ${said[1] ?? said[2]}`
  return /No authentication method|User was rejected/.test(stderr) ? 'refused: login' : stderr
}

/** One web server at many ports, on 127.0.0.1 and 127.1.0.1, that answers with the port, and to whom if that is unusual. */
export async function webServer(t: TestContext, count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const near = createServer(answer)
    near.listen(0, '127.0.0.1')
    await once(near, 'listening')
    const { port } = near.address() as AddressInfo
    const far = createServer(answer)
    far.listen(port, '127.1.0.1')
    await once(far, 'listening')
    t.after(() => [near, far].map(server => server.close().closeAllConnections()))
    ports.push(port)
  }
  return ports
}

function answer({ socket }: IncomingMessage, response: ServerResponse): void {
  const { localPort, remoteAddress } = socket
  response.end(`port ${localPort}${remoteAddress === '127.0.0.1' ? '' : ` for ${remoteAddress}`}`)
}

/** `2026-11-21..2026-11-22 Zone`: so many days after today there. */
export function dates(zone: string, first: number, last: number): string {
  const day = (days: number): string =>
    new Date(Date.now() + days * 86_400_000).toLocaleDateString('en-CA', { timeZone: zone })
  return `${day(first)}..${day(last)} ${zone}`
}

/** Weekdays, counted from today in UTC. */
export function days(first: number, last: number): string {
  const names = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
  const today = new Date().getUTCDay()
  return Array.from({ length: last - first + 1 }, (_, index) => names[(today + first + index + 7) % 7]).join(',')
}

/** Hours of the day, counted from this one in UTC. */
export function hours(first: number, last: number): string {
  return `${hour(first)}:00-${hour(last)}:00`
}

function hour(after: number): string {
  return String((new Date().getUTCHours() + after + 24) % 24).padStart(2, '0')
}

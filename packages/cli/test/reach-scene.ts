/** What the client's commands reach in tests, and the commands as child processes. Everything is on loopback. */
import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer as createHttpServer } from 'node:http'
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { LAUNCHER, serve } from './run-command.ts'

/** The URL of a fresh proxy of ours; it wants `alice` with `open sesame` when asked to. */
export async function proxyUrl(t: TestContext, scheme = 'socks5h', withAlice = false): Promise<string> {
  const users = withAlice ? ['--user', 'alice:open sesame'] : []
  const { port } = await serve(t, ['--engine', 'node', '--listen', '127.0.0.1:0', ...users])
  return `${scheme}://${withAlice ? 'alice:open%20sesame@' : ''}127.0.0.1:${port}`
}

/** Hands every connection, half-open allowed, to the function; the port. */
export async function tcpTarget(t: TestContext, onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    onConnection(socket)
  })
  t.after(() => sockets.forEach(socket => socket.destroy()))
  return listening(t, server)
}

/** Sends back what it gets; the port. */
export function echoTarget(t: TestContext): Promise<number> {
  return tcpTarget(t, socket => socket.pipe(socket))
}

/** The URL of an HTTP server, without the last slash. */
export async function httpTarget(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createHttpServer(answer)
  t.after(() => server.closeAllConnections())
  return `http://127.0.0.1:${await listening(t, server)}`
}

/** Answers each datagram with the same octets; the port. */
export async function udpTarget(t: TestContext): Promise<number> {
  const socket = createSocket('udp4', (octets, from) => socket.send(octets, from.port, from.address))
  t.after(() => socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket.address().port
}

async function listening(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A port of loopback at which nobody listens. */
export async function deadPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A command that runs, with its three streams. */
export interface Running {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  /** All of standard error, once it has ended. */
  readonly stderr: Promise<string>
  /** Resolves with the whole line of standard error that has this text; rejects when there is none to the end. */
  said(part: string): Promise<string>
  /** The exit code. */
  readonly code: Promise<number | null>
}

/** Starts a command; no proxy of the person who runs the tests is used. It is ended with the test. */
export function startCommand(t: TestContext, args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const clean = Object.entries(process.env).filter(([name]) => !/_proxy$/i.test(name))
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    env: { ...Object.fromEntries(clean), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  t.after(() => child.kill('SIGKILL'))
  child.stdin.on('error', () => undefined)
  const code = once(child, 'close').then(([status]) => status as number | null)
  let heard = ''
  const stderr = new Promise<string>(resolve => child.stderr.on('end', () => resolve(heard)))
  child.stderr.on('data', (octets: Buffer) => (heard += octets.toString()))
  const said = (part: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const line = heard.split('\n').find(one => one.includes(part))
        if (line !== undefined && heard.slice(heard.indexOf(line)).includes('\n')) resolve(line)
      }
      child.stderr.on('data', look)
      void stderr.then(all => reject(new Error(`it never said "${part}": ${all}`)))
      look()
    })
  return { child, stderr, said, code }
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command to its end with this standard input. */
export async function runCommand(
  t: TestContext,
  args: readonly string[],
  input = '',
  env: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const { child, stderr, code } = startCommand(t, args, env)
  child.stdin.end(input)
  const stdout = text(child.stdout)
  const ended = { code: await code, stdout: await stdout, stderr: await stderr }
  assert.ok(!ended.stderr.includes('sesame'), `a password is told: ${ended.stderr}`)
  assert.ok(!ended.stderr.includes('bug in socksmith'), ended.stderr)
  return ended
}

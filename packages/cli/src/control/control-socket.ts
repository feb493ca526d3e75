/**
 * The control socket of a running server: a Unix socket that only its owner may open; one line of JSON asks, one answers.
 * Knows not what is done.
 */
import { once } from 'node:events'
import { lstat, rm, stat } from 'node:fs/promises'
import { type Server, type Socket, connect, createServer } from 'node:net'
import { dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { type ControlAnswer, type ControlQuestion, parseQuestion } from './question.ts'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'

/** A question is one short line. */
const QUESTION_OCTETS_MAX = 4_096
/** From accept to the whole question: somebody who says nothing, or little at a time, must not be kept. */
const QUESTION_MS = 5_000
/** At once. A person asks once, a program now and then; nobody may take the descriptors of tunnels. */
const CONNECTIONS_MAX = 64
/** Reading a large policy and running its cases takes a second or two. */
const ANSWER_MS = 60_000

export interface ControlSocket {
  close(): Promise<void>
}

/** Listens at `path`, with mode 0600. A socket that a dead server left behind is replaced; a living one is not. */
export async function openControl(
  path: string,
  answer: (question: ControlQuestion) => Promise<ControlAnswer>,
  questionMs: number = QUESTION_MS,
): Promise<Outcome<ControlSocket>> {
  const server = createServer({ allowHalfOpen: true }, socket => void serve(socket, answer, questionMs))
  server.maxConnections = CONNECTIONS_MAX
  const first = await listen(server, path)
  const left = first?.code === 'EADDRINUSE' && (await isDeadSocket(path))
  if (left) await rm(path, { force: true })
  const fault = left ? await listen(server, path) : first
  if (fault !== undefined) {
    const reason = await faultText(fault, path)
    return trouble(EXIT.UNAVAILABLE, `cannot open the control socket ${path}: ${reason}`)
  }
  return done({
    async close() {
      server.close()
      await once(server, 'close')
    },
  })
}

/** Asks the server at `path`. */
export async function askControl(path: string, question: ControlQuestion): Promise<Outcome<ControlAnswer>> {
  const socket = connect(path)
  socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('the server does not answer')))
  try {
    socket.end(`${JSON.stringify(question)}\n`)
    const answer: unknown = JSON.parse(await text(socket))
    if (isAnswer(answer)) return done(answer)
    return trouble(EXIT.UNAVAILABLE, `what answers at ${path} is not socksmith`)
  } catch (error) {
    return trouble(EXIT.UNAVAILABLE, `no server answers at ${path}: ${refusedText(error)}`)
  }
}

function refusedText(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ECONNREFUSED' ? 'it has ended' : fileErrorText(error)
}

async function serve(
  socket: Socket,
  answer: (question: ControlQuestion) => Promise<ControlAnswer>,
  questionMs: number,
): Promise<void> {
  socket.on('error', () => {})
  const timer = setTimeout(() => socket.destroy(), questionMs)
  const question = await questionFrom(socket)
  clearTimeout(timer)
  if (question === undefined) return void socket.destroy()
  socket.end(`${JSON.stringify(await answer(question))}\n`)
}

/** The first line, when it is a question. */
function questionFrom(socket: Socket): Promise<ControlQuestion | undefined> {
  const { promise, resolve } = Promise.withResolvers<ControlQuestion | undefined>()
  let line = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    line += chunk
    if (line.includes('\n') || line.length > QUESTION_OCTETS_MAX) resolve(parseQuestion(line.split('\n', 1)[0] ?? ''))
  })
  socket.on('close', () => resolve(undefined))
  return promise
}

function isAnswer(value: unknown): value is ControlAnswer {
  if (typeof value !== 'object' || value === null || !('ok' in value) || !('message' in value)) return false
  if ('exitCode' in value && typeof value.exitCode !== 'number') return false
  return typeof value.ok === 'boolean' && typeof value.message === 'string'
}

async function faultText(fault: NodeJS.ErrnoException, path: string): Promise<string> {
  if (fault.code === 'EADDRINUSE') return 'another server uses it'
  // libuv says EACCES for a folder that is not there.
  const missing: unknown = await stat(dirname(path)).then(
    () => undefined,
    (error: unknown) => error,
  )
  return fileErrorText(missing ?? fault)
}

/** The failure to listen. */
async function listen(server: Server, path: string): Promise<NodeJS.ErrnoException | undefined> {
  // Nobody else may connect, not even for the moment before a chmod.
  const before = process.umask(0o177)
  // The socket is bound before this returns.
  server.listen(path)
  process.umask(before)
  try {
    await once(server, 'listening')
    return undefined
  } catch (error) {
    return error as NodeJS.ErrnoException
  }
}

/** A socket at which nobody listens any more. */
async function isDeadSocket(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined)
  if (stats?.isSocket() !== true) return false
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'
  } finally {
    socket.destroy()
  }
}

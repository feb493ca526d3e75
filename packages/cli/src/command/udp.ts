/** `socksmith udp`: lines of standard input as datagrams to a target, and its answers to standard output. */
import { type SocksUdpSocket, createUdpSocket } from '@socksmith/client'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'
import { type ReachFlags, alongRoute, durationOf } from '../reach/along-route.ts'
import { datagramsOf } from '../reach/datagrams.ts'
import { routeTrouble } from '../reach/route-trouble.ts'
import { flushed, openStandardOutput, outputTrouble } from '../reach/standard-streams.ts'
import type { Target } from '../reach/target-text.ts'
import { targetOfWords } from './connect.ts'

export interface UdpFlags extends ReachFlags {
  readonly packet?: boolean
  readonly wait: string
}

/** Runs until the input has ended and no answer came for a while. */
export async function udp(host: string, port: string | undefined, flags: UdpFlags): Promise<Outcome<void>> {
  const target = targetOfWords(host, port)
  if (!target.ok) return target
  const wait = durationOf('--wait', flags.wait)
  if (!wait.ok) return wait
  return alongRoute(flags, async ({ via, timeout }) => {
    const socket = await createUdpSocket({ via, timeout })
    return carry(socket, target.value, flags.packet === true, wait.value)
  })
}

async function carry(
  socket: SocksUdpSocket,
  target: Target,
  isPacket: boolean,
  waitMs: number,
): Promise<Outcome<void>> {
  const output = openStandardOutput()
  const { promise, resolve } = Promise.withResolvers<Outcome<void>>()
  let timer: NodeJS.Timeout | undefined
  let isInputOver = false
  const rest = (): void => {
    clearTimeout(timer)
    if (isInputOver && waitMs !== Infinity) timer = setTimeout(() => resolve(done(undefined)), waitMs)
  }
  socket.connect(target.port, target.host)
  socket.on('message', message => {
    // Whoever reads slowly loses datagrams, and not memory.
    if (!output.writableNeedDrain) output.write(message)
    rest()
  })
  socket.on('close', why => resolve(why === undefined ? done(undefined) : routeTrouble(why)))
  output.on('error', error => resolve(outputTrouble(error)))
  void sendInput(socket, isPacket).then(outcome => {
    if (!outcome.ok) return resolve(outcome)
    isInputOver = true
    rest()
  })
  const outcome = await promise
  clearTimeout(timer)
  process.stdin.destroy()
  socket.close()
  return outcome.ok ? await flushed(output) : outcome
}

async function sendInput(socket: SocksUdpSocket, isPacket: boolean): Promise<Outcome<void>> {
  const { stdin } = process
  try {
    for await (const datagram of isPacket ? (stdin as AsyncIterable<Buffer>) : datagramsOf(stdin)) {
      const sent = Promise.withResolvers<Error | null>()
      socket.send(datagram, error => sent.resolve(error))
      const error = await sent.promise
      if (error !== null) return trouble(EXIT.DATA, error.message)
    }
    return done(undefined)
  } catch (error) {
    return trouble(EXIT.BROKEN, `standard input: ${fileErrorText(error)}`)
  }
}

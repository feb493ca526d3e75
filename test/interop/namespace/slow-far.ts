/**
 * The far end of a slow link (see slow-network.test.ts): clients, and the echo that they reach by the proxy at the other end.
 * Waits for a line on its input, tells when half of all has come back, and at the end how many streams are whole.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { connect } from '@socksmith/client'

const [, , proxy = '', host = ''] = process.argv
const STREAMS = 4
const OCTETS = 16 * 1_024
const PORT = 7_000

const echo = createServer(socket => socket.pipe(socket))
await once(echo.listen(PORT, '0.0.0.0'), 'listening')
process.stdout.write('ready\n')
await once(process.stdin, 'data')
let came = 0
const whole = await Promise.all(Array.from({ length: STREAMS }, (_, index) => isWhole(index)))
process.stdout.write(`${JSON.stringify({ whole: whole.filter(Boolean).length, came })}\n`)
process.exit()

/** Sends octets that no other stream has, and holds what comes back against them. */
async function isWhole(index: number): Promise<boolean> {
  const sent = Buffer.from(`stream ${index}, `.repeat(OCTETS / 10 + 1)).subarray(0, OCTETS)
  const socket = await connect({ via: proxy, host, port: PORT, timeout: 60_000 })
  socket.end(sent)
  const chunks: Buffer[] = []
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    const before = came
    came += chunk.length
    const half = (STREAMS * OCTETS) / 2
    if (before < half && came >= half) process.stdout.write('half\n')
  }
  return Buffer.concat(chunks).equals(sent)
}

/** How tunnels end: half by half, by reset, and when the process at either end is killed. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { patternOctets, wrongPieces } from '../../simulation/world/pattern.ts'
import { closed } from '../client.ts'
import { times, until, wait } from '../stage.ts'
import { NearTarget, type Trial } from './trial.ts'

/** Tunnels for each direction. */
const PAIRS = 20
const THINK_MS = 3_000
const FIN_MS_MAX = 50
const RESET_MS_MAX = 200
/** After the half-close. */
const REST_OCTETS = 1_048_576
const PIECE_OCTETS = 32_768
const HALF_OPEN_MS = 5_000
const WAIT_MS_MAX = 10_000
/** How much later than its limit a tunnel may end. */
const LIMIT_LATE_MS = 1_000

type End = 'client' | 'target'
type Pair = { readonly [E in End]: Socket }
const otherThan = { client: 'target', target: 'client' } as const

export const halfCloseTrial: Trial = {
  rows: ['R-09'],
  name: 'half-closes in each direction, with three seconds to think',
  async run({ note, serve }) {
    await serve({ limits: { 'half-open-idle': `${HALF_OPEN_MS}ms` } }, async ({ served }) => {
      const near = await NearTarget.start()
      for (const first of ['client', 'target'] as const) {
        const pairs = await times(PAIRS, 1, () => near.pair(served.ports))
        const all = await Promise.all(pairs.map((pair, key) => halfClose(pair, first, key)))
        note(`the ${first} ends first: FIN is passed on within`, Math.max(...all.map(one => one.finMs)), {
          atMost: FIN_MS_MAX,
          unit: 'ms',
        })
        const lost = all.reduce((sum, one) => sum + one.lost, 0)
        note(`the ${first} ends first: octets that did not come back after it`, lost, { atMost: 0 })
        const halfOpen = await near.pair(served.ports)
        const endedMs = await halfOpenMs(halfOpen, first)
        note(`the ${first} ends first: a half-open tunnel ends after 5,000 ms, late by`, endedMs - HALF_OPEN_MS, {
          atLeast: 0,
          unit: 'ms',
        })
        note(`the ${first} ends first: a half-open tunnel ends after`, endedMs, {
          atMost: HALF_OPEN_MS + LIMIT_LATE_MS,
          unit: 'ms',
        })
      }
      near.close()
    })
  },
}

/** How late FIN came to the other end, and how much of what that one said then was lost, altered or without its own FIN. */
async function halfClose(pair: Pair, first: End, key: number): Promise<{ finMs: number; lost: number }> {
  const [ending, other] = [pair[first], pair[otherThan[first]]]
  const startedAt = performance.now()
  ending.end()
  other.resume()
  await once(other, 'end')
  const finMs = performance.now() - startedAt
  await wait(THINK_MS)
  let [came, wrong] = [0, 0]
  ending.on('data', (chunk: Buffer) => {
    wrong += wrongPieces(key, came, chunk)
    came += chunk.length
  })
  for (let offset = 0; offset < REST_OCTETS; offset += PIECE_OCTETS) {
    other.write(patternOctets(key, offset, PIECE_OCTETS))
  }
  other.end()
  await Promise.race([once(ending, 'end'), closed(ending)])
  return { finMs, lost: REST_OCTETS - came + wrong + (ending.readableEnded ? 0 : 1) }
}

/** Milliseconds until the end that has said its last hears that nothing will come any more. */
async function halfOpenMs(pair: Pair, first: End): Promise<number> {
  const [ending, other] = [pair[first], pair[otherThan[first]]]
  const startedAt = performance.now()
  other.resume()
  ending.end()
  ending.resume()
  await closed(ending)
  return performance.now() - startedAt
}

/** What has passed by the time of the reset. */
const RESET_PHASES = ['before any data', 'in mid-stream', 'after a mebibyte'] as const

export const resetTrial: Trial = {
  rows: ['R-10'],
  name: 'resets of each end, before, in the middle of and after data',
  async run({ note, serve }) {
    await serve({}, async ({ served }) => {
      const near = await NearTarget.start()
      for (const end of ['client', 'target'] as const) {
        for (const phase of RESET_PHASES) {
          const pairs = await times(PAIRS, 1, () => near.pair(served.ports))
          const all = await Promise.all(pairs.map(pair => resetMs(pair, end, phase)))
          note(`the ${end} resets ${phase}: the other end sees it within`, Math.max(...all), {
            atMost: RESET_MS_MAX,
            unit: 'ms',
          })
        }
      }
      near.close()
    })
  },
}

/** Milliseconds until the other end saw a reset; NaN when it saw a clean end. */
async function resetMs(pair: Pair, end: End, phase: (typeof RESET_PHASES)[number]): Promise<number> {
  const [resetting, other] = [pair[end], pair[otherThan[end]]]
  let came = 0
  other.on('data', (chunk: Buffer) => (came += chunk.length))
  const all = (): boolean => came >= REST_OCTETS
  resetting.resume()
  if (phase === 'after a mebibyte') {
    resetting.write(Buffer.alloc(REST_OCTETS))
    await until(all, WAIT_MS_MAX)
  } else if (phase === 'in mid-stream') {
    for (const socket of [resetting, other]) pourForEver(socket)
    await until(all, WAIT_MS_MAX)
  }
  let code: string | undefined
  other.on('error', (error: NodeJS.ErrnoException) => (code ??= error.code))
  const startedAt = performance.now()
  resetting.resetAndDestroy()
  await closed(other)
  return code === 'ECONNRESET' || code === 'EPIPE' ? performance.now() - startedAt : Number.NaN
}

function pourForEver(socket: Socket): void {
  const octets = Buffer.alloc(PIECE_OCTETS)
  const more = (): void => {
    while (!socket.destroyed && socket.write(octets));
  }
  socket.on('drain', more)
  more()
}

/** Too many, too slow, or speaking nonsense: what comes before a request. */
import { dial, closed, openTunnel, restOf } from '../client.ts'
import { Crowd } from '../crowd.ts'
import { LATE_MS_MAX, type Fault, type Stage, amount, times } from '../stage.ts'

/** The server's limit for a handshake in the soak, in milliseconds; see its configuration. */
export const HANDSHAKE_MS = 10_000
/** Its limit for connections: more than the slow clients with the honest ones. */
export const CONNECTIONS_MAX = 12_000

/** Rounds of churn at the same time. */
const CHURN_AT_ONCE = 64

/** A third of the rounds ends cleanly, a third by reset, a third in mid-handshake. How many of the clean ones failed. */
export async function playChurn(
  { served, targets, random }: Pick<Stage, 'served' | 'targets' | 'random'>,
  count: number,
): Promise<number> {
  let failed = 0
  await times(count, CHURN_AT_ONCE, async index => {
    try {
      if (index % 3 === 2) {
        const socket = await dial(served.ports.open)
        socket.write(Buffer.of(5, 1, 0, 5, 1).subarray(0, random.between(1, 5)))
        return void (random.chance(0.5) ? socket.destroy() : socket.resetAndDestroy())
      }
      const socket = await openTunnel(served.ports, 'socks5', { port: targets.ports.echo })
      socket.write('x')
      if (index % 3 === 1) return void socket.resetAndDestroy()
      socket.end()
      if ((await restOf(socket)) !== 1) failed++
      socket.destroy()
    } catch {
      failed++
    }
  })
  return failed
}

export const churn: Fault = {
  rows: ['R-02'],
  name: 'tunnels are opened and closed: cleanly, by reset, in mid-handshake',
  async run(stage) {
    const { criteria } = stage
    const count = amount(stage, 10_000, 10_000, 100_000)
    const failed = await playChurn(stage, count)
    criteria.note('R-02', 'rounds of churn', count)
    criteria.note('R-02', 'clean rounds that failed', failed, { atMost: 0 })
  },
}

export const noise: Fault = {
  rows: ['R-03'],
  name: 'handshakes of random octets',
  async run(stage) {
    const { served, criteria, random } = stage
    const count = amount(stage, 500, 3_000, 100_000)
    const starts = ['', '04', '0401', '05', '050100', '05010005', '0501000501000', '434f4e4e45435420', '050102']
    await times(count, 64, async () => {
      const socket = await dial(served.ports.strangers).catch(() => undefined)
      if (socket === undefined) return
      const octets = Buffer.concat([
        // As a stranger, to whom nothing inside is open: random octets may name any address.
        Buffer.from('PROXY TCP4 203.0.113.5 192.0.2.1 40000 1080\r\n'),
        Buffer.from(random.pick(starts), 'hex'),
        Buffer.from(Array.from({ length: random.size(300) }, () => random.between(0, 255))),
      ])
      const cut = random.between(0, octets.length)
      socket.write(octets.subarray(0, cut))
      socket.write(octets.subarray(cut))
      if (random.chance(0.3)) socket.resetAndDestroy()
      else socket.end()
      socket.resume()
      await closed(socket)
    })
    criteria.note('R-03', 'random handshakes', count)
  },
}

function slow(
  rows: readonly string[],
  name: string,
  everyMs: number,
  counts: readonly [number, number, number],
  isAlone: Fault['isAlone'] = false,
): Fault {
  return {
    rows,
    name,
    isAlone,
    async run(stage) {
      const { served, criteria } = stage
      const crowd = new Crowd()
      const count = amount(stage, ...counts)
      const startedMs = performance.now()
      await crowd.start({ do: 'trickle', port: served.ports.open, count, everyMs, addresses: 50 })
      const { open } = await crowd.tell()
      while ((await crowd.tell()).open > 0 && performance.now() - startedMs < 60_000) {
        await new Promise(resolve => setTimeout(resolve, 200))
      }
      const told = await crowd.tell()
      await crowd.kill()
      const [row = ''] = rows
      criteria.note(row, `${name}: open at once`, open, { atLeast: count })
      criteria.note(row, `${name}: closed too early, by`, HANDSHAKE_MS * 0.9 - told.firstClosedMs, {
        atMost: 0,
        unit: 'ms',
      })
      criteria.note(row, `${name}: closed at the handshake's limit, late by`, told.lastClosedMs - HANDSHAKE_MS, {
        atMost: LATE_MS_MAX,
        unit: 'ms',
      })
      criteria.note(row, `${name}: not closed`, told.open, { atMost: 0 })
    },
  }
}

// Most of what the server lets in at once: with another crowd beside it honest clients would be turned away, and rightly.
export const slowHandshakes: Fault = slow(
  ['R-06'],
  'handshakes of an octet a second',
  1_000,
  [500, 10_000, 10_000],
  'unless-short',
)
export const silentClients: Fault = slow(['R-06'], 'silent clients', 0, [300, 1_000, 2_000])

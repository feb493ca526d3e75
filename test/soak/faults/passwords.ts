/** Guessing at passwords, while others log in. */
import { Refused, openTunnel } from '../client.ts'
import { LATE_MS_MAX, type Fault, amount, times } from '../stage.ts'

export const guesses: Fault = {
  rows: ['R-27'],
  name: 'passwords are guessed, for a user who exists and for many who do not',
  async run(stage) {
    const { served, criteria, login, targets } = stage
    const count = amount(stage, 20, 200, 2_000)
    const to = { port: targets.ports.echo }
    let [letIn, unanswered] = [0, 0]
    const guess = async (name: string, index: number): Promise<number> => {
      const startedAt = performance.now()
      await openTunnel(served.ports, 'socks5-login', to, { login: { name, password: `guess ${index}` } }).then(
        () => letIn++,
        (error: unknown) => {
          if (!(error instanceof Refused)) unanswered++
        },
      )
      return performance.now() - startedAt
    }
    // In turns, so that what else the machine does falls on both alike.
    const all = await times(count, 2, async index => [
      await guess(login.name, index),
      await guess(`nobody${index}`, index),
    ])
    const mean = (column: number): number => all.reduce((sum, pair) => sum + (pair[column] ?? 0), 0) / all.length
    criteria.note('R-27', 'guesses that were let in', letIn, { atMost: 0 })
    // The limit for a handshake holds for the wait at the hashes too.
    criteria.note('R-27', 'guesses that were closed without an answer', unanswered)
    criteria.note('R-27', 'an unknown user takes longer than a wrong password by', 100 * (mean(1) / mean(0) - 1), {
      unit: '%',
    })
    const startedAt = performance.now()
    const socket = await openTunnel(served.ports, 'socks5-login', to, { login })
    socket.destroy()
    criteria.note('R-27', 'time of a right login afterwards', performance.now() - startedAt, {
      atMost: LATE_MS_MAX,
      unit: 'ms',
    })
  },
}

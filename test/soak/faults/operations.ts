/** What an operator does, and what happens to files, threads and clocks while clients are served. */
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { askControl } from '../ask-control.ts'
import { Refused, openTunnel } from '../client.ts'
import { LATE_MS_MAX, type Fault, type Stage, amount, notices, times, until, wait } from '../stage.ts'

/** Where no target of the soak is, and no fault dials. */
const NOBODYS_PORT = 9

/** Rules that close one port; a broken text where `closed` is none. */
function policyText(closed: number | 'broken'): string {
  return closed === 'broken'
    ? 'rules:\n  - allow: everything\n  - deny: { prot: 9 }\n'
    : `rules:\n  - deny: { port: ${closed} }\n  - allow: everything\n`
}

/** What a server says to a reload. It takes good rules although another fault has broken the users file, and says that too. */
async function reload(
  stage: Pick<Stage, 'files'>,
): Promise<{ readonly areRulesTaken: boolean; readonly message: string }> {
  const { message } = await askControl(stage, { ask: 'reload' })
  return { areRulesTaken: message.startsWith('reloaded: '), message }
}

/** REP of a tunnel to this port; 0 when it opens. */
async function replyTo(stage: Pick<Stage, 'served'>, port: number): Promise<number> {
  try {
    const socket = await openTunnel(stage.served.ports, 'socks5', { port })
    socket.destroy()
    return 0
  } catch (error) {
    return error instanceof Refused ? error.reply : -1
  }
}

/**
 * Writes rules and has them read: every fifth time broken ones, else in turns rules that close a port, which nobody else uses, and
 * rules that do not. Whether each was taken as it should.
 */
export async function reloadInTurn(
  stage: Pick<Stage, 'files' | 'served'>,
  port: number,
  turn: number,
): Promise<boolean> {
  const isBroken = turn % 5 === 4
  const isClosed = turn % 2 === 0
  writeFileSync(stage.files.policy, policyText(isBroken ? 'broken' : isClosed ? port : NOBODYS_PORT))
  const { areRulesTaken, message } = await reload(stage)
  if (isBroken) return !areRulesTaken && /policy\.yaml:3/.test(message)
  return areRulesTaken && (await replyTo(stage, port)) === (isClosed ? 2 : 0)
}

export const reloads: Fault = {
  rows: ['R-17'],
  name: 'the rules are read again, every fifth time broken ones',
  async run(stage) {
    const { criteria, targets, files } = stage
    const { echo, spare } = targets.ports
    const count = amount(stage, 10, 50, 1_000)
    let wrong = 0
    for (let i = 0; i < count; i++) {
      if (!(await reloadInTurn(stage, spare, i)) || (await replyTo(stage, echo)) !== 0) wrong++
    }
    writeFileSync(files.policy, policyText(NOBODYS_PORT))
    await reload(stage)
    criteria.note('R-17', 'reloads', count)
    criteria.note('R-17', 'reloads that did something else than they should', wrong, { atMost: 0 })
  },
}

export const killedWorker: Fault = {
  rows: ['R-19'],
  name: 'a worker thread dies',
  isAlone: true,
  cannot: ({ workers }) => (workers === 0 ? 'there are no workers' : undefined),
  async run(stage) {
    const { served, criteria, honest, targets } = stage
    const before = notices(stage, 'worker-died')
    // One worker has all that come at once, and another those that come when it has many more: so each has some.
    const tunnels = await times(100, 20, () => openTunnel(served.ports, 'socks5', { port: targets.ports.echo }))
    await wait(1_000)
    tunnels.push(...(await times(100, 20, () => openTunnel(served.ports, 'socks5', { port: targets.ports.echo }))))
    await honest.expecting(['newcomers', 'tunnels'], async () => {
      served.killWorker()
      const toldMs = await until(() => notices(stage, 'worker-died') > before, LATE_MS_MAX)
      const backMs = await until(async () => {
        const replies = await times(20, 20, () => replyTo(stage, targets.ports.echo))
        return replies.every(one => one === 0)
      }, LATE_MS_MAX)
      criteria.note('R-19', 'time until twenty clients in a row are served again', toldMs + backMs, {
        atMost: LATE_MS_MAX,
        unit: 'ms',
      })
    })
    const lost = tunnels.filter(socket => socket.destroyed || socket.readableEnded).length
    for (const socket of tunnels) socket.destroy()
    if (stage.workers > 1) criteria.note('R-19', 'tunnels lost with it, of 200', lost, { atMost: 199 })
  },
}

export const usersFile: Fault = {
  rows: ['R-20'],
  name: 'the users file is broken, gone, and back',
  async run(stage) {
    const { files, criteria, login, served, targets } = stage
    const good = `${files.users}.good`
    copyFileSync(files.users, good)
    let [shutOut, letIn] = [0, 0]
    const logIn = async (password: string): Promise<boolean> => {
      try {
        const to = { port: targets.ports.echo }
        const socket = await openTunnel(served.ports, 'socks5-login', to, { login: { ...login, password } })
        socket.destroy()
        return true
      } catch {
        return false
      }
    }
    for (const spoil of [
      () => writeFileSync(files.users, readFileSync(good, 'latin1').slice(0, -30)),
      () => writeFileSync(files.users, 'no users at all\n'),
      () => rmSync(files.users),
    ]) {
      spoil()
      // Longer than the server waits between two looks at it.
      await wait(600)
      if (!(await logIn(login.password))) shutOut++
      if (await logIn('wrong')) letIn++
    }
    renameSync(good, files.users)
    const backMs = await until(() => logIn(login.password), LATE_MS_MAX)
    criteria.note('R-20', 'right logins refused while the file is broken or gone', shutOut, { atMost: 0 })
    criteria.note('R-20', 'wrong logins let in', letIn, { atMost: 0 })
    criteria.note('R-20', 'time until a login is right when it is back', backMs, {
      atMost: LATE_MS_MAX,
      unit: 'ms',
    })
  },
}

export const clockJumps: Fault = {
  rows: ['R-22'],
  name: 'the wall clock jumps by hours and years, and back',
  cannot: ({ files }) => (files.clock === undefined ? 'libfaketime is missing: apt-get install faketime' : undefined),
  async run(stage) {
    const { files, criteria } = stage
    const jumps = amount(stage, 0, 1, 1) === 0 ? ['-10y', '+1h', '+0'] : ['-1h', '-10y', '+10y', '+1d', '+0']
    for (const jump of jumps) {
      writeFileSync(files.clock as string, `${jump}\n`)
      // libfaketime looks at its file once a second here.
      await wait(1_200)
    }
    criteria.note('R-22', 'jumps of the clock', jumps.length)
  },
}

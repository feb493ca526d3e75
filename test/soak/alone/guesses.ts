/** Guessing at passwords: from one address, from a thousand, and what it costs others. */
import { argon2Sync, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { FAILURE_NUMBERS, accountsFor, createLedgerMemory } from '@socksmith/server'
import { CONNECTIONS_MAX } from '../faults/crowds.ts'
import { type Keys, LOGIN } from '../server-files.ts'
import { type StageFiles, times, wait } from '../stage.ts'
import { askControl } from '../ask-control.ts'
import { type Outcome, logIn, wrong } from './login.ts'
import { type Note, type Stand, type Trial, during } from './trial.ts'

const BAN_LOGIN_AFTER = 10
const BAN_ADDRESS_AFTER = 50
const GUESSES = 10_000
const ADDRESSES = 1_000

/** As by default, but with short delays, for they would take hours, and loopback is not trusted. */
const LOCK_OUT: Keys = { trusted: [], 'delay-after': 1_000_000, 'delay-max': '100ms' }

export const lockOutTrial: Trial = {
  rows: ['R-27'],
  name: '10,000 wrong logins from one address, then from 1,000, with right ones in between',
  async run({ note, serve }) {
    const work = async (stand: Stand): Promise<void> => {
      const guessed = async (from: string, count: number, name?: (index: number) => string): Promise<Outcome> => {
        for (let index = 0; index < count; index++) await logIn(stand, from, wrong(name?.(index), index))
        return logIn(stand, from)
      }
      const expect = (what: string, outcome: Outcome, expected: Outcome): void =>
        note(`${what}, otherwise than ${expected}`, outcome === expected ? 0 : 1, { atMost: 0 })
      expect('a right login after 9 wrong ones', await guessed('127.0.1.1', BAN_LOGIN_AFTER - 1), 'let in')
      expect('a right login after 10 wrong ones', await guessed('127.0.1.2', BAN_LOGIN_AFTER), 'refused')
      expect('a right login from another address then', await logIn(stand, '127.0.1.3'), 'let in')
      const anybody = await guessed('127.0.1.4', BAN_ADDRESS_AFTER, index => `nobody${index}`)
      expect('a right login from an address with 50 wrong ones', anybody, 'closed')
      await guess(stand, 1, note)
      await guess(stand, ADDRESSES, note)
    }
    await serve({ login: LOCK_OUT }, work, { prepare: makeCheap })
  },
}

/** Ten thousand from so many addresses; somebody else logs in meanwhile. */
async function guess(stand: Stand, addresses: number, note: Note): Promise<void> {
  const guessed = times(GUESSES, 32, async index => {
    const from = `127.1.${Math.floor((index % addresses) / 250)}.${1 + ((index % addresses) % 250)}`
    return logIn(stand, from, wrong(LOGIN.name, index))
  })
  const right = await during(guessed, () => logIn(stand, '127.0.2.1'))
  const letIn = (await guessed).filter(outcome => outcome === 'let in')
  const from = `${GUESSES} guesses from ${addresses === 1 ? 'one address' : `${addresses} addresses`}`
  note(`${from}: let in`, letIn.length, { atMost: 0 })
  note(`${from}: right logins from elsewhere meanwhile`, right.length, { atLeast: 1 })
  note(`${from}: right logins that were refused`, right.filter(outcome => outcome !== 'let in').length, { atMost: 0 })
}

/** Names that are guessed once each, which bans them. */
const BANS = 120_000
const BANS_MAX = 100_000
const TABLE_MIB_MAX = 20

export const banTableTrial: Trial = {
  rows: ['R-27'],
  name: '120,000 names that are guessed, each a ban',
  async run({ note, serve, workers }) {
    const work = async (stand: Stand): Promise<void> => {
      // As many logins of somebody who is not counted: what a login takes by itself is there before.
      await times(BANS / 2, 64, index => logIn(stand, '127.0.0.1', wrong(`nobody${index}`)))
      const before = await stand.served.look(true)
      await times(BANS, 64, index => logIn(stand, `127.2.${index % 100}.1`, wrong(`nobody${index}`)))
      const after = await stand.served.look(true)
      const { bans } = await askControl(stand, { ask: 'bans' })
      note('bans after 120,000 names that were guessed once each', bans?.length ?? Number.NaN, { atMost: BANS_MAX })
      const ledger = createLedgerMemory(workers + 1, accountsFor(CONNECTIONS_MAX), FAILURE_NUMBERS).memory.byteLength
      const tables = after.heapOctets - before.heapOctets + ledger
      note('memory of the tables: heap of all threads, and what they share', tables / 1_048_576, {
        atMost: TABLE_MIB_MAX,
        unit: 'MiB',
      })
      note('memory of the process more (PSS)', (after.pssOctets - before.pssOctets) / 1_048_576, { unit: 'MiB' })
      note('right logins refused then', (await logIn(stand, '127.0.2.1')) === 'let in' ? 0 : 1, { atMost: 0 })
    }
    const login = { ...LOCK_OUT, trusted: ['127.0.0.1/32'], 'ban-login-after': 1, 'ban-address-after': 1_000_000 }
    await serve({ login }, work, { prepare: makeCheap })
  },
}

const TRIES = 2_000
const DIFFERENCE_PERCENT_MAX = 5
const FLOOD_PER_SECOND = 100
const FLOOD_MS = 20_000
const DELAY_MS_MAX = 50

export const loginTimeTrial: Trial = {
  rows: ['R-27'],
  name: '2,000 logins of an unknown user and 2,000 with a wrong password, then 100 a second',
  async run({ note, serve }) {
    const login = {
      trusted: [],
      'delay-after': 1_000_000,
      'ban-login-after': 1_000_000,
      'ban-address-after': 1_000_000,
    }
    await serve({ login }, async stand => {
      const ms = async (name: string, index: number): Promise<number> => {
        const startedAt = performance.now()
        await logIn(stand, '127.0.0.1', wrong(name, index))
        return performance.now() - startedAt
      }
      // In turns, so that what else the machine does falls on both alike.
      const all = await times(TRIES, 2, async index => [await ms(LOGIN.name, index), await ms(`nobody${index}`, index)])
      const mean = (column: number): number => all.reduce((sum, pair) => sum + (pair[column] ?? 0), 0) / all.length
      const percent = 100 * (mean(1) / mean(0) - 1)
      note('an unknown user takes longer than a wrong password by', Math.abs(percent), {
        atMost: DIFFERENCE_PERCENT_MAX,
        unit: '%',
      })
      await stand.served.look()
      const flood: Promise<unknown>[] = []
      const timer = setInterval(() => {
        flood.push(logIn(stand, `127.3.0.${1 + (flood.length % 200)}`, wrong(`nobody${flood.length}`)))
      }, 1_000 / FLOOD_PER_SECOND)
      await wait(FLOOD_MS)
      clearInterval(timer)
      const { delayP99Ms } = await stand.served.look()
      note('logins a second', flood.length / (FLOOD_MS / 1_000), { atLeast: FLOOD_PER_SECOND * 0.8 })
      note("event loop's delay meanwhile, p99", delayP99Ms, { atMost: DELAY_MS_MAX, unit: 'ms' })
      await Promise.all(flood)
    })
  },
}

/** The user's password as a hash that costs next to nothing: it is the counting that is looked at. */
function makeCheap({ users }: StageFiles): void {
  const salt = randomBytes(16)
  const cost = { memory: 8, passes: 1, parallelism: 1, tagLength: 32 }
  const tag = argon2Sync('argon2id', { message: LOGIN.password, nonce: salt, ...cost })
  const [saltText, tagText] = [salt, tag].map(octets => octets.toString('base64').replaceAll('=', ''))
  writeFileSync(users, `${LOGIN.name}:$argon2id$v=19$m=8,t=1,p=1$${saltText}$${tagText}\n`)
}

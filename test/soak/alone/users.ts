/** A users file with very many users, and what befalls it. */
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  rmdirSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import type { Login } from '../client.ts'
import { LOGIN } from '../server-files.ts'
import { type StageFiles, until, wait } from '../stage.ts'
import { logIn, wrong } from './login.ts'
import type { Stand, Trial } from './trial.ts'

const USERS = 100_000
const LAST: Login = { name: 'last', password: LOGIN.password }
const HERE = '127.0.0.1'
/** Twice a second the file is looked at. */
const SEEN_MS = 2_000
const TAKEN_MS_MAX = 20_000
const DELAY_MS_MAX = 1_000
/** In the middle of a line. */
const TRUNCATED_OCTETS = 1_000_001

export const usersTrial: Trial = {
  rows: ['R-20'],
  name: 'a file of 100,000 users: one more, truncated, a folder, gone, and back',
  async run({ note, serve }) {
    const work = async (stand: Stand): Promise<void> => {
      const { served, files } = stand
      const isIn = async (login = LAST): Promise<boolean> => (await logIn(stand, HERE, login)) === 'let in'
      await served.look()
      appendFileSync(files.users, `${LAST.name}:${hashIn(files)}\n`)
      const takenMs = await until(() => isIn(), TAKEN_MS_MAX)
      const { delayMaxMs } = await served.look()
      note('time until one more of 100,000 users can log in', takenMs, { atMost: TAKEN_MS_MAX, unit: 'ms' })
      note("event loop's delay at most, while they are read", delayMaxMs, { atMost: DELAY_MS_MAX, unit: 'ms' })
      const good = `${files.users}.good`
      copyFileSync(files.users, good)
      let [letIn, shutOut] = [0, 0]
      for (const spoil of [
        () => truncateSync(files.users, TRUNCATED_OCTETS),
        () => putFolderAt(files.users),
        () => rmdirSync(files.users),
      ]) {
        spoil()
        await wait(SEEN_MS)
        if (await isIn(wrong(LAST.name))) letIn++
        if (!(await isIn())) shutOut++
      }
      note('truncated, a folder, gone: wrong logins let in', letIn, { atMost: 0 })
      note('truncated, a folder, gone: last good users shut out', shutOut, { atMost: 0 })
      writeFileSync(good, readFileSync(good, 'utf8').replace(`${LAST.name}:`, 'somebody:'))
      renameSync(good, files.users)
      const goneMs = await until(async () => !(await isIn()), TAKEN_MS_MAX)
      note('time until a user who was removed is refused', goneMs, { atMost: SEEN_MS, unit: 'ms' })
    }
    await serve({}, work, {
      prepare(files) {
        const hash = hashIn(files)
        const lines = Array.from({ length: USERS }, (_, index) => `user${index}:${hash}\n`)
        appendFileSync(files.users, lines.join(''))
      },
    })
  },
}

/** Of the user who is there from the beginning; all have the same password. */
function hashIn({ users }: StageFiles): string {
  return /\$argon2id.*/.exec(readFileSync(users, 'latin1'))?.[0] ?? ''
}

function putFolderAt(path: string): void {
  rmSync(path)
  mkdirSync(path)
}

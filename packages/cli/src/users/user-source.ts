/**
 * Who can log in at this moment: the users file, read again when it changes, and the users of the command line. A file
 * that breaks or vanishes keeps the last good users. Knows no password.
 */
import { stat } from 'node:fs/promises'
import { type Outcome, done } from '../exit.ts'
import { type Users, readUsersFile } from './users-file.ts'

// Watching files is not reliable everywhere (network file systems, containers); a look once a second on use is.
const STAT_INTERVAL_MS = 1_000

export interface UserSource {
  /** The users of now. The same map means that nothing has changed. */
  current(): Promise<Users>
  /** The same after a look at the file, however short ago the last one was. */
  refresh(): Promise<Users>
}

export interface UserSourceOptions {
  readonly file?: string
  /** Users that no file holds; they win over the file. */
  readonly added: Users
  /** Told once for each change of the file that could not be used. */
  readonly onTrouble: (message: string) => void
  /** Milliseconds that never go backwards. */
  readonly now?: () => number
}

/** Reads the users for the first time; then a trouble is final. */
export async function openUserSource(options: UserSourceOptions): Promise<Outcome<UserSource>> {
  const { file, added } = options
  if (file === undefined) return done({ current: () => Promise.resolve(added), refresh: () => Promise.resolve(added) })
  // Before reading, so that a change between the two is seen later.
  const mark = await markOf(file)
  const users = await readUsersFile(file)
  return users.ok ? done(new FileUserSource(file, mark, users.value, options)) : users
}

class FileUserSource implements UserSource {
  readonly #file: string
  readonly #options: UserSourceOptions
  readonly #now: () => number
  #users: Users
  #mark: string
  #askedAt: number
  #refreshing: Promise<void> | undefined

  constructor(file: string, mark: string, users: Users, options: UserSourceOptions) {
    this.#file = file
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#users = joined(users, options.added)
    this.#mark = mark
    this.#askedAt = this.#now()
  }

  async current(): Promise<Users> {
    return this.#now() - this.#askedAt >= STAT_INTERVAL_MS ? this.refresh() : this.#users
  }

  async refresh(): Promise<Users> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#askedAt = this.#now()
      this.#refreshing = undefined
    })
    await this.#refreshing
    return this.#users
  }

  async #refresh(): Promise<void> {
    const mark = await markOf(this.#file)
    if (mark === this.#mark) return
    this.#mark = mark
    const users = await readUsersFile(this.#file)
    if (users.ok) this.#users = joined(users.value, this.#options.added)
    else this.#options.onTrouble(`${users.trouble.message}; the users read before stay in force`)
  }
}

function joined(users: Users, added: Users): Users {
  return new Map([...[...users].filter(([, hash]) => hash.isDisabled !== true), ...added])
}

/** A text that changes when the file does. */
async function markOf(path: string): Promise<string> {
  const stats = await stat(path, { bigint: true }).catch(() => undefined)
  return stats === undefined ? 'missing' : `${stats.ino}:${stats.mtimeNs}:${stats.size}`
}

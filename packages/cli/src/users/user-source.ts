/**
 * Who can log in at this moment: the users file, read again when it changes, and the users of the command line. A file
 * that breaks or vanishes keeps the last good users. Knows no password, and not when to look.
 */
import { type FileMark, type Pause, awaitedFileMark, untilWritten } from '../config/file-mark.ts'
import { type Outcome, done } from '../exit.ts'
import { type Users, readUsersFile } from './users-file.ts'

export interface UserSource {
  refresh(): Promise<CurrentUsers>
}

/** The users after a look at the file. */
export interface CurrentUsers {
  /** The same map means that nothing has changed. */
  readonly users: Users
  /** Why the file as it is now is not in force: these are the users of before. */
  readonly fault?: string
}

export interface UserSourceOptions {
  readonly file?: string
  /** Users that no file holds; they win over the file. */
  readonly added: Users
  /** Told once for each change of the file that could not be used. */
  readonly onTrouble: (message: string) => void
  /** Waits while somebody is writing the file: {@link untilWritten}. */
  readonly pause?: Pause
}

/** Reads the users for the first time; then a trouble is final. */
export async function openUserSource(options: UserSourceOptions): Promise<Outcome<UserSource>> {
  const { file, added } = options
  if (file === undefined) return done({ refresh: () => Promise.resolve({ users: added }) })
  // Before reading, so that a change between the two is seen later.
  const mark = await awaitedFileMark(file)
  const users = await readUsersFile(file)
  return users.ok ? done(new FileUserSource(file, mark, users.value, options)) : users
}

class FileUserSource implements UserSource {
  readonly #file: string
  readonly #options: UserSourceOptions
  #current: CurrentUsers
  #mark: FileMark
  #refreshing: Promise<void> | undefined

  constructor(file: string, mark: FileMark, users: Users, options: UserSourceOptions) {
    this.#file = file
    this.#options = options
    this.#current = { users: joined(users, options.added) }
    this.#mark = mark
  }

  async refresh(): Promise<CurrentUsers> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined
    })
    await this.#refreshing
    return this.#current
  }

  async #refresh(): Promise<void> {
    if ((await awaitedFileMark(this.#file)) === this.#mark) return
    await untilWritten([this.#file], this.#options.pause)
    this.#mark = await awaitedFileMark(this.#file)
    const users = await readUsersFile(this.#file)
    if (users.ok) {
      this.#current = { users: joined(users.value, this.#options.added) }
      return
    }
    const fault = `${users.trouble.message}; the users read before stay in force`
    this.#current = { users: this.#current.users, fault }
    this.#options.onTrouble(fault)
  }
}

function joined(users: Users, added: Users): Users {
  return new Map([...[...users].filter(([, hash]) => hash.isDisabled !== true), ...added])
}

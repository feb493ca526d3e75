/**
 * The rules of a running server: built, checked with their own cases, and swapped; read again on demand, and when the
 * file of a set changes. What is wrong changes nothing. Users who are gone lose their sessions. Knows no signal and no
 * socket.
 */
import { type Decider, compile, runCases } from '@socksmith/policy'
import type { Server } from '@socksmith/server'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import type { UserSource } from '../users/user-source.ts'
import type { Users } from '../users/users-file.ts'
import { type OpenPolicy, fileMark } from './open-policy.ts'

/** A removed user's sessions end within a second: two looks at the files fit into it. */
const LOOK_MS = 400

export interface LivePolicyOptions {
  /** Reads configuration and policy as they are now. */
  readonly read: () => Promise<Outcome<OpenPolicy>>
  readonly users: UserSource
  /** Told what changed, or why it did not. */
  readonly notice: (message: string) => void
}

/** Reads the policy for the first time; then a trouble, or a case that fails, is final. */
export async function openLivePolicy(options: LivePolicyOptions): Promise<Outcome<LivePolicy>> {
  const built = await build(options)
  return built.ok ? done(new LivePolicy(options, built.value, await options.users.refresh())) : built
}

interface Built {
  readonly decider: Decider
  readonly rules: number
  /** What the files of the sets looked like before they were read. */
  readonly marks: ReadonlyMap<string, string>
}

export class LivePolicy {
  readonly #options: LivePolicyOptions
  #built: Built
  #users: Users
  /** Users who were there and are no more. Certificates may name others, who never were. */
  readonly #gone = new Set<string>()
  #server: Server | undefined
  #timer: NodeJS.Timeout | undefined
  /** One thing at a time: a reload waits for the look at the files before it. */
  #busy: Promise<unknown> = Promise.resolve()
  /** Set files that were tried and are wrong: told once for each change. */
  #tried: string | undefined

  constructor(options: LivePolicyOptions, built: Built, users: Users) {
    this.#options = options
    this.#built = built
    this.#users = users
  }

  get decider(): Decider {
    return this.#built.decider
  }

  /** Keeps the rules and the users of this server up to date, until the answer is called. */
  keep(server: Server): () => void {
    this.#server = server
    const look = (): void => {
      this.#timer = setTimeout(() => {
        void this.#inTurn(() => this.#look()).finally(() => {
          if (this.#timer !== undefined) look()
        })
      }, LOOK_MS).unref()
    }
    look()
    return () => {
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
  }

  /** Reads everything again; the answer says what came of it. */
  reload(): Promise<Outcome<string>> {
    return this.#inTurn(async () => {
      const built = await build(this.#options)
      const users = await this.#options.users.refresh()
      if (!built.ok) {
        this.#options.notice(`reload: ${built.trouble.message}; the rules read before stay in force`)
        return built
      }
      const gone = this.#endUsers(users)
      const ended = gone + this.#use(built.value)
      const message = `reloaded: ${countText(built.value.rules, 'rule')}; ${countText(ended, 'session')} ended`
      this.#options.notice(message)
      return done(message)
    })
  }

  async #look(): Promise<void> {
    this.#endUsers(await this.#options.users.refresh())
    const { marks } = this.#built
    const text = [...marks.keys()].map(file => [file, fileMark(file)]).join()
    if (text === [...marks].join() || text === this.#tried) return
    this.#tried = text
    const built = await build(this.#options)
    if (!built.ok)
      return this.#options.notice(`a set changed: ${built.trouble.message}; the rules read before stay in force`)
    const ended = this.#use(built.value)
    this.#options.notice(
      `a set changed: ${countText(built.value.rules, 'rule')} read again; ${countText(ended, 'session')} ended`,
    )
  }

  #use(built: Built): number {
    this.#built = built
    this.#tried = undefined
    return this.#server?.usePolicy(built.decider) ?? 0
  }

  #endUsers(users: Users): number {
    if (users !== this.#users) {
      for (const user of this.#users.keys()) this.#gone.add(user)
      for (const user of users.keys()) this.#gone.delete(user)
      this.#users = users
    }
    // Every time: a login that was being judged when its user went may have come through since.
    return this.#gone.size === 0 ? 0 : (this.#server?.endUsers(user => this.#gone.has(user)) ?? 0)
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#busy.then(act)
    this.#busy = result.catch(() => {})
    return result
  }
}

async function build({ read }: LivePolicyOptions): Promise<Outcome<Built>> {
  const opened = await read()
  if (!opened.ok) return opened
  const { policy, options, file } = opened.value
  const failed = runCases(policy, Date.now(), options).filter(one => one.fault !== undefined)
  const [first] = failed
  if (first !== undefined) {
    const more = failed.length === 1 ? '' : `, and ${failed.length - 1} more`
    return trouble(EXIT.DATA, `${file}:${first.case.place.line}: a case of the policy fails: ${first.fault}${more}`)
  }
  return done({ decider: compile(policy, options), rules: policy.rules.length, marks: opened.value.setMarks })
}

function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

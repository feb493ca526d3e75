/**
 * The rules and the users of a running server: built, checked with their own cases, and swapped; read again on demand, and
 * when the file of a set or of the users changes. What is wrong changes nothing. Knows no signal, no socket and no thread.
 */
import { type Decider, runCases } from '@socksmith/policy'
import type { WaysConfig } from '../config/config.ts'
import { type FileMark, type Pause, fileMark, untilWritten } from '../config/file-mark.ts'
import { EXIT, type Outcome, type Trouble, done, trouble } from '../exit.ts'
import type { UserSource } from '../users/user-source.ts'
import type { Users } from '../users/users-file.ts'
import { type GovernedServer, type InForce, type LiveUsers, type PolicyData, deciderOf } from './in-force.ts'
import type { OpenPolicy } from './open-policy.ts'

/** A removed user's sessions end within a second: two looks at the files fit into it. */
const LOOK_MS = 400

/** A policy with its surroundings, as they are now. */
export interface ReadPolicy extends OpenPolicy {
  /** Keys of the configuration that have changed as well, and that only a start reads. */
  readonly waiting?: readonly string[]
}

export interface LivePolicyOptions {
  /** Reads configuration and policy as they are now. */
  readonly read: () => Promise<Outcome<ReadPolicy>>
  readonly users: UserSource
  /** Why a server with these rules must not serve, whatever else is right. */
  readonly objection: (decider: Decider, ways: WaysConfig) => Trouble | undefined
  /** Told what changed, or why it did not. */
  readonly notice: (message: string) => void
  /** Waits while somebody is writing the file of a set: {@link untilWritten}. */
  readonly pause?: Pause
}

/** Reads the policy for the first time; then a trouble, or a case that fails, is final. */
export async function openLivePolicy(options: LivePolicyOptions): Promise<Outcome<LivePolicy>> {
  const built = await build(options)
  return built.ok ? done(new LivePolicy(options, built.value, (await options.users.refresh()).users)) : built
}

interface Built {
  readonly policy: PolicyData
  readonly decider: Decider
  /** What the files of the sets looked like before they were read. */
  readonly marks: ReadonlyMap<string, FileMark>
  readonly waiting: readonly string[]
}

export class LivePolicy {
  readonly #options: LivePolicyOptions
  #built: Built
  #users: LiveUsers
  #server: GovernedServer | undefined
  #timer: NodeJS.Timeout | undefined
  /** One thing at a time: a reload waits for the look at the files before it. */
  #busy: Promise<unknown> = Promise.resolve()
  /** Set files that were tried and are wrong: told once for each change. */
  #tried: FileMark | undefined

  constructor(options: LivePolicyOptions, built: Built, users: Users) {
    this.#options = options
    this.#built = built
    this.#users = { known: users, gone: new Set() }
  }

  /** What a server is to begin with. */
  get inForce(): InForce {
    return { policy: this.#built.policy, users: this.#users }
  }

  get decider(): Decider {
    return this.#built.decider
  }

  /** Keeps the rules and the users of this server up to date, until the answer is called. */
  keep(server: GovernedServer): () => void {
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
      const { users, fault } = await this.#options.users.refresh()
      if (!built.ok) {
        this.#options.notice(`reload: ${built.trouble.message}; the rules read before stay in force`)
        return built
      }
      const gone = await this.#useUsers(users)
      const ended = gone + (await this.#use(built.value))
      const came = `reloaded: ${rulesText(built.value)}; ${countText(ended, 'session')} ended${waitingText(built.value)}`
      const message = fault === undefined ? came : `${came}; but ${fault}`
      this.#options.notice(message)
      return fault === undefined ? done(message) : trouble(EXIT.DATA, message)
    })
  }

  async #look(): Promise<void> {
    await this.#useUsers((await this.#options.users.refresh()).users)
    const { marks } = this.#built
    const files = [...marks.keys()]
    const look = (): FileMark => files.map(file => [file, fileMark(file)]).join()
    const mark = look()
    if (mark === [...marks].join() || mark === this.#tried) return
    await untilWritten(files, this.#options.pause)
    this.#tried = look()
    const built = await build(this.#options)
    if (!built.ok)
      return this.#options.notice(`a set changed: ${built.trouble.message}; the rules read before stay in force`)
    const ended = await this.#use(built.value)
    const came = `${rulesText(built.value)} read again; ${countText(ended, 'session')} ended${waitingText(built.value)}`
    this.#options.notice(`a set changed: ${came}`)
  }

  async #use(built: Built): Promise<number> {
    this.#built = built
    this.#tried = undefined
    return (await this.#server?.usePolicy(built.policy)) ?? 0
  }

  async #useUsers(known: Users): Promise<number> {
    const before = this.#users
    if (known === before.known) return 0
    const gone = new Set([...before.gone, ...before.known.keys()].filter(name => !known.has(name)))
    this.#users = { known, gone }
    return (await this.#server?.useUsers(this.#users)) ?? 0
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#busy.then(act)
    this.#busy = result.catch(() => {})
    return result
  }
}

async function build({ read, objection }: LivePolicyOptions): Promise<Outcome<Built>> {
  const opened = await read()
  if (!opened.ok) return opened
  const { policy, options, setting, geo, ways, file, setMarks: marks, waiting = [] } = opened.value
  const failed = runCases(policy, Date.now(), options, setting).filter(one => one.fault !== undefined)
  const [first] = failed
  if (first !== undefined) {
    const more = failed.length === 1 ? '' : `, and ${failed.length - 1} more`
    return trouble(EXIT.DATA, `${file}:${first.case.place.line}: a case of the policy fails: ${first.fault}${more}`)
  }
  // Nobody is asked about cases and sets again.
  const data: PolicyData = { policy: { ...policy, cases: [], sets: [] }, inside: options.inside ?? {}, geo, ways }
  const decider = deciderOf(data)
  const fault = objection(decider, ways)
  return fault === undefined ? done({ policy: data, decider, marks, waiting }) : { ok: false, trouble: fault }
}

function rulesText({ policy: { policy } }: Built): string {
  return countText(policy.rules.length, 'rule')
}

function waitingText({ waiting }: Built): string {
  return waiting.length === 0 ? '' : `; changes of ${waiting.join(', ')} need a restart`
}

function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

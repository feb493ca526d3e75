/**
 * What a running server remembers, in its main thread: bans in force, and octets counted by all threads. Writes them to
 * the state file now and then, and tells when that fails. Knows no socket and no command.
 */
import {
  type Ban,
  BanList,
  FAILURE_NUMBERS,
  type Ledger,
  type LedgerMemory,
  accountsFor,
  createLedgerMemory,
  keyOfText,
  keyText,
  openSharedLedger,
  subjectText,
} from '@socksmith/server'
import { fileErrorText } from '../exit.ts'
import { type CountedOctets, type StateFile, openStateFile } from './state-file.ts'

/** A crash loses what was counted in this time. */
const SAVE_MS = 2_000
/** What has passed is forgotten as often. */
const PRUNE_MS = 60_000

/** Who keeps the bans of a running server. Each answers how many sessions it has ended. */
export interface Banning {
  ban(bans: readonly Ban[]): Promise<number> | number
  unban(keys: readonly string[]): Promise<void> | void
}

export interface LiveStateOptions {
  /** Without a file nothing is remembered over the end. */
  readonly file?: string
  /** The main thread and its workers. */
  readonly threads: number
  readonly connectionsMax: number
  readonly notice: (message: string) => void
}

export class LiveState {
  /** Where all threads count what is limited, and failed logins. */
  readonly accounts: LedgerMemory
  readonly failures: LedgerMemory
  readonly #options: LiveStateOptions
  readonly #ledger: Ledger
  readonly #bans = new BanList()
  #file: StateFile | undefined
  #server: Banning | undefined
  #timer: NodeJS.Timeout | undefined
  #prunedAtMs = Date.now()
  /** Changes that the file has not got yet, and those of a ban that is gone by their keys. */
  readonly #unsavedOctets = new Map<string, CountedOctets>()
  readonly #unsavedBans = new Map<string, Ban | undefined>()
  #lastFault: string | undefined

  constructor(options: LiveStateOptions) {
    this.#options = options
    this.accounts = createLedgerMemory(options.threads, accountsFor(options.connectionsMax))
    this.failures = createLedgerMemory(options.threads, accountsFor(options.connectionsMax), FAILURE_NUMBERS)
    this.#ledger = openSharedLedger(this.accounts, 0)
    this.#load()
  }

  /** The bans in force, oldest first. */
  get bans(): readonly Ban[] {
    return this.#bans.all(Date.now())
  }

  /** From now on the server's counts are saved, and it is told of bans. */
  keep(server: Banning): void {
    this.#server = server
    this.#timer = setInterval(() => this.#save(), SAVE_MS).unref()
  }

  /** Bans, in all threads at once; how many sessions that has ended. */
  async add(ban: Ban): Promise<number> {
    if (!this.#bans.add(ban)) return 0
    this.#toSave(subjectText(ban.subject), ban)
    const ended = await this.#server?.ban([ban])
    this.#save()
    return ended ?? 0
  }

  /** False when there is no such ban. */
  async remove(key: string): Promise<boolean> {
    if (!this.#bans.remove(key)) return false
    this.#toSave(key, undefined)
    await this.#server?.unban([key])
    this.#save()
    return true
  }

  /** Without a file nothing is ever saved, and nothing may wait for it. */
  #toSave(key: string, ban: Ban | undefined): void {
    if (this.#file !== undefined) this.#unsavedBans.set(key, ban)
  }

  /** Writes what is left, and closes the file. */
  close(): void {
    clearInterval(this.#timer)
    this.#save()
    this.#try('close', file => file.close())
    this.#file = undefined
  }

  #load(): void {
    const { file, notice } = this.#options
    if (file === undefined) return
    try {
      this.#file = openStateFile(file)
      const { octets, bans } = this.#file.load(Date.now())
      for (const ban of bans) this.#bans.add(ban)
      for (const one of octets) {
        const key = keyOfText(one.key)
        if (key !== undefined) this.#ledger.restore(key, one)
      }
    } catch (error) {
      this.#file = undefined
      notice(
        `cannot use the state file ${file}: ${fileErrorText(error)}; octets and bans are not kept over the end of the server`,
      )
    }
  }

  #save(): void {
    const nowMs = Date.now()
    if (nowMs - this.#prunedAtMs >= PRUNE_MS) this.#prune(nowMs)
    if (this.#file === undefined) return
    this.#ledger.changedOctets((key, octets) => {
      const text = keyText(key)
      this.#unsavedOctets.set(text, { key: text, ...octets })
    })
    const [octets, bans] = [[...this.#unsavedOctets.values()], [...this.#unsavedBans]]
    if (octets.length === 0 && bans.length === 0) return
    const isSaved = this.#try('write', file => {
      file.saveOctets(octets)
      file.saveBans(bans.flatMap(([, ban]) => ban ?? []))
      file.removeBans(bans.flatMap(([key, ban]) => (ban === undefined ? [key] : [])))
    })
    if (!isSaved) return
    this.#unsavedOctets.clear()
    this.#unsavedBans.clear()
  }

  #prune(nowMs: number): void {
    this.#prunedAtMs = nowMs
    this.#bans.prune(nowMs)
    // Where the file cannot be written for long; in the file they are forgotten too.
    for (const [key, ban] of this.#unsavedBans) if ((ban?.untilMs ?? Infinity) <= nowMs) this.#unsavedBans.delete(key)
    this.#try('write', file => file.prune(nowMs))
  }

  /** A fault is told once, until it is another one or has passed. */
  #try(what: string, act: (file: StateFile) => void): boolean {
    if (this.#file === undefined) return false
    try {
      act(this.#file)
      if (this.#lastFault !== undefined) this.#options.notice('the state file can be written again')
      this.#lastFault = undefined
      return true
    } catch (error) {
      const fault = `cannot ${what} the state file ${this.#options.file}: ${fileErrorText(error)}; it is tried again`
      if (fault !== this.#lastFault) this.#options.notice(fault)
      this.#lastFault = fault
      return false
    }
  }
}

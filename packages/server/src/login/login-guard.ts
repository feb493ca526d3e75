/**
 * Stands between logins and whoever tries passwords: counts failures by address and by name, answers the wrong ones later
 * and later, and bans. A right login is never slowed down, and what was wrong is never told. Knows no password.
 */
import type { Clock, Place } from '@socksmith/engine'
import { containsAny } from '@socksmith/policy'
import { type Failure, NO_OCTETS, failure, latin1Text, utf8Text } from '@socksmith/protocol'
import { accountKey, clientName } from '../limit/account-key.ts'
import { BUCKET, type Filling, type Ledger } from '../limit/ledger.ts'
import type { Authenticate, Credentials, LoginOptions } from '../options.ts'
import { type Ban, type BanList, type BanSubject, FAILED_LOGINS, networkOfClient } from './ban-list.ts'

export interface LoginGuardParts {
  readonly options: LoginOptions
  readonly authenticate: Authenticate | undefined
  readonly clock: Clock
  /** Where failures are counted; of its own, so that limits and logins take no room from each other. */
  readonly failures: () => Ledger
  readonly bans: BanList
  /** Told of each ban that failures have brought. */
  readonly onBan: (ban: Ban) => void
}

export class LoginGuard {
  readonly #parts: LoginGuardParts

  constructor(parts: LoginGuardParts) {
    this.#parts = parts
  }

  /** The user's name, or `undefined`, and that not before the time that the failures of late ask for. */
  async judge(credentials: Credentials, client: Place): Promise<string | undefined> {
    const { clock, bans, options, authenticate } = this.#parts
    const askedAtMs = clock.monotonicMs()
    const name = nameOf(credentials)
    const address = this.#isTrusted(client) ? undefined : addressOf(client)
    const wallMs = clock.wallMs()
    if (address !== undefined && bans.hasLogin(client, name, wallMs)) {
      // Nothing is hashed and nothing counted: the ban is to end.
      await this.#until(askedAtMs + options.delayMaxMs)
      return undefined
    }
    const isSuspect = address !== undefined && this.#count(['address', address], options.addressFailures) > 0
    // What a person has banned is banned from a trusted address too; and a right password, which may be remembered, must not
    // be known by a quicker answer.
    const isBanned = bans.hasUser(client, name, wallMs)
    const asked = isBanned ? { ...credentials, password: NO_OCTETS } : credentials
    const user = await authenticate?.(asked, client, isSuspect ? 'suspect' : 'clean')
    if (user !== undefined && !isBanned && !bans.hasUser(client, user, wallMs)) return user
    const delayMs = this.#onFailure(address, name, client)
    await this.#until(askedAtMs + delayMs)
    return undefined
  }

  /** Why nobody is let in with this certificate's name; `isNeeded`: without one neither. */
  certificateFault(client: Place, user: string | undefined, isNeeded: boolean): Failure | undefined {
    const { bans, clock } = this.#parts
    if (user === undefined) {
      return isNeeded ? failure('auth_rejected', 'client', 'no client certificate with a name') : undefined
    }
    const isBanned = bans.hasUser(client, user, clock.wallMs())
    return isBanned ? failure('auth_rejected', 'client', 'the user of this certificate is banned') : undefined
  }

  /** Counts it, bans where it is too much, and answers how long the client is to wait. */
  #onFailure(address: string | undefined, name: string, client: Place): number {
    const { options, clock, bans } = this.#parts
    const { addressFailures, loginFailures } = options
    if (address === undefined) return 0
    // The window of a name is that of an address: what is unknown must not be answered otherwise than what is known.
    const ofName = this.#add(['name', name], addressFailures)
    const ofAddress = this.#add(['address', address], addressFailures)
    const ofLogin = this.#add(['login', address, name], loginFailures)
    const nowMs = clock.wallMs()
    // Of many guesses that were on their way at once, one bans.
    if (ofAddress >= addressFailures) {
      const network = networkOfClient(client)
      if (network !== undefined && !bans.hasClient(client, nowMs)) this.#ban({ kind: 'network', network }, nowMs)
    } else if (ofLogin >= loginFailures && !bans.hasLogin(client, name, nowMs)) {
      this.#ban({ kind: 'login', client: address, user: name }, nowMs)
    }
    return this.#delayAfter(Math.max(ofName, ofAddress))
  }

  #ban(subject: BanSubject, sinceMs: number): void {
    const { options, bans, onBan } = this.#parts
    const ban: Ban = { subject, sinceMs, untilMs: sinceMs + options.banMs, by: 'login', reason: FAILED_LOGINS }
    if (bans.add(ban)) onBan(ban)
  }

  #delayAfter(failures: number): number {
    const { delayMs, delayMaxMs, delayAfter } = this.#parts.options
    const steps = failures - delayAfter
    return steps <= 0 ? 0 : Math.min(delayMaxMs, delayMs * 2 ** (steps - 1))
  }

  #isTrusted(client: Place): boolean {
    return client.kind === 'unix' || containsAny(this.#parts.options.trusted, client.endpoint.address)
  }

  #until(atMs: number): Promise<void> | undefined {
    const leftMs = atMs - this.#parts.clock.monotonicMs()
    if (leftMs <= 0) return undefined
    return new Promise(resolve => void this.#parts.clock.after(leftMs, resolve))
  }

  /** One failure more; how many there are now. They are forgotten evenly in the time of the window. */
  #add(words: readonly string[], most: number): number {
    return this.#change(words, most, 1)
  }

  #count(words: readonly string[], most: number): number {
    return this.#change(words, most, 0)
  }

  #change(words: readonly string[], most: number, failures: number): number {
    const ledger = this.#parts.failures()
    const entered = ledger.enter(accountKey(JSON.stringify(words)), Infinity)
    // Many addresses at once: who cannot be counted waits as long as anybody.
    if ('refused' in entered) return failures === 0 ? 0 : this.#parts.options.delayAfter + MANY
    const filling: Filling = { perMs: most / this.#parts.options.windowMs, most }
    const left = ledger.spendAndTell(entered.account, BUCKET.failures, filling, failures)
    ledger.leave(entered.account)
    // Some of the last one is forgotten already.
    return Math.round(most - left)
  }
}

/** Doublings behind which every delay is the longest. */
const MANY = 32

/** Names are counted whether there is such a user or not; by their octets where they are no text. */
function nameOf({ username }: Credentials): string {
  return utf8Text(username) ?? latin1Text(username)
}

function addressOf(client: Place): string | undefined {
  return client.kind === 'unix' ? undefined : clientName(client.endpoint.address)
}

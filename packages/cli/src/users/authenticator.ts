/**
 * Checks logins. Every SOCKS connection logs in anew, so a login that was right is remembered for a short time; an
 * unknown user costs as much as a wrong password; and the number of hashes at once is bounded. Knows no connection.
 */
import { hash as digestOf, randomBytes } from 'node:crypto'
import type { Place } from '@socksmith/engine'
import { utf8Text } from '@socksmith/protocol'
import { type Authenticate, type Credentials, networkOfClient } from '@socksmith/server'
import { type Argon2Cost, type PasswordHash, unknowableHash, verifyPassword } from './password.ts'
import { Secret } from './secret.ts'
import { LoginQueue, type Standing } from './login-queue.ts'
import type { Users } from './users-file.ts'

// Long enough that a browser's page costs one hash; short enough that nobody waits for a removed user (who is gone at
// once anyway when the file changes).
const REMEMBERED_MS = 60_000
// 10,000 entries of about 200 octets are 2 MB.
const REMEMBERED_MAX = 10_000
// libuv has four threads, which the look-up of names needs as well.
const HASHES_AT_ONCE = 2

export interface AuthenticatorOptions {
  /** The users of now. The same map means that nothing has changed. */
  readonly users: () => Users
  /** Threads that check logins in the same process. Default 1. */
  readonly threads?: number
  /** Milliseconds that never go backwards. */
  readonly now?: () => number
  /** The costly comparison. */
  readonly verify?: (password: Secret, hash: PasswordHash) => Promise<boolean>
}

/** The server's `authenticate`. Answers `undefined` for an unknown user, a wrong password and an overfull queue alike. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticate {
  const authenticator = new Authenticator(options)
  return (credentials, client, standing) => authenticator.check(credentials, clientText(client), standing)
}

class Authenticator {
  readonly #source: () => Users
  readonly #now: () => number
  readonly #verify: (password: Secret, hash: PasswordHash) => Promise<boolean>
  readonly #queue: LoginQueue
  readonly #key = randomBytes(32)
  /** Until when a login is known to be right, by its digest, oldest first. */
  readonly #remembered = new Map<string, { readonly user: string; readonly untilMs: number }>()
  readonly #running = new Map<string, Promise<string | undefined>>()
  #users: Users | undefined
  /** Of every user's hash: some may have been made elsewhere. */
  #costs: readonly Argon2Cost[] = []

  constructor(options: AuthenticatorOptions) {
    this.#source = options.users
    this.#now = options.now ?? (() => performance.now())
    this.#verify = options.verify ?? verifyPassword
    this.#queue = new LoginQueue(Math.max(1, Math.floor(HASHES_AT_ONCE / (options.threads ?? 1))))
  }

  async check(credentials: Credentials, client: string, standing: Standing): Promise<string | undefined> {
    const users = this.#source()
    if (users !== this.#users) {
      this.#users = users
      this.#costs = [...users.values()].map(({ cost }) => cost)
      this.#remembered.clear()
      // What still runs was asked of the old users; it answers those who asked, and nobody else.
      this.#running.clear()
    }
    const digest = this.#digestOf(credentials)
    const remembered = this.#remembered.get(digest)
    if (remembered !== undefined && this.#now() < remembered.untilMs) return remembered.user
    return (
      this.#running.get(digest) ?? this.#start(digest, users, this.#verifyInTurn(credentials, users, client, standing))
    )
  }

  /** No password is kept, only this; the key makes it useless outside this process. */
  #digestOf({ username, password }: Credentials): string {
    // The length parts name and password, whatever octets they hold.
    const length = Buffer.of(username.length >> 8, username.length & 0xff)
    // Asked at every connection: in one call it costs a fifth of an HMAC, and nobody sees a digest whose text he could lengthen.
    return digestOf('sha256', Buffer.concat([this.#key, length, username, password]), 'base64')
  }

  #start(digest: string, users: Users, verified: Promise<string | undefined>): Promise<string | undefined> {
    const running = verified.then(user => {
      if (this.#running.get(digest) === running) this.#running.delete(digest)
      if (user !== undefined && users === this.#users) this.#remember(digest, user)
      return user
    })
    this.#running.set(digest, running)
    return running
  }

  async #verifyInTurn(
    credentials: Credentials,
    users: Users,
    client: string,
    standing: Standing,
  ): Promise<string | undefined> {
    // The server reuses its buffers while this login waits.
    const password = new Secret(Uint8Array.from(credentials.password))
    const user = utf8Text(credentials.username)
    const hash = user === undefined ? undefined : users.get(user)
    const stranger = this.#strangersHash(credentials.username)
    if (!(await this.#queue.turn(client, standing))) return undefined
    try {
      const right = await this.#verify(password, hash ?? stranger)
      return right && hash !== undefined ? user : undefined
    } catch {
      // Out of memory for the hash, for example: nobody comes in.
      return undefined
    } finally {
      this.#queue.done()
    }
  }

  /** As dear as that of some user, for the same name always of the same one: the time of an answer does not tell who there is. */
  #strangersHash(name: Uint8Array): PasswordHash {
    const digest = digestOf('sha256', Buffer.concat([this.#key, name]), 'buffer')
    return unknowableHash(this.#costs[digest.readUInt32BE(0) % this.#costs.length])
  }

  #remember(digest: string, user: string): void {
    this.#remembered.delete(digest)
    if (this.#remembered.size >= REMEMBERED_MAX) {
      const [oldest] = this.#remembered.keys()
      if (oldest !== undefined) this.#remembered.delete(oldest)
    }
    this.#remembered.set(digest, { user, untilMs: this.#now() + REMEMBERED_MS })
  }
}

/** Clients whose logins take turns: by address, or by the /64 of IPv6. */
function clientText(client: Place): string {
  return networkOfClient(client) ?? 'unix'
}

/**
 * What a server remembers over its end: octets that were counted, and bans. One SQLite file, of which only the main thread
 * knows; written in batches. A file that cannot be used is told once and stops nobody.
 */
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { type Ban, type BanSubject, subjectText } from '@socksmith/server'

/** Octets of one account in one period; the key is a digest. */
export interface CountedOctets {
  readonly key: string
  readonly up: number
  readonly down: number
  readonly periodEndMs: number
}

export interface StateFile {
  /** Octets of periods that go on, and bans in force. */
  load(nowMs: number): { readonly octets: readonly CountedOctets[]; readonly bans: readonly Ban[] }
  saveOctets(octets: readonly CountedOctets[]): void
  saveBans(bans: readonly Ban[]): void
  removeBans(keys: readonly string[]): void
  /** Forgets what has passed. */
  prune(nowMs: number): void
  close(): void
}

/** Who runs the server, and nobody else. */
const FILE_MODE = 0o600

/** Rises when the tables change. */
const SCHEMA_VERSION = 1

/**
 * `WAL` and `NORMAL`: a write waits for no disk, and a crash of the machine loses seconds and never breaks the file. Who
 * else has the file open (a person with sqlite3) is waited for, but never for long.
 */
const SETTINGS = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA busy_timeout = 200;
  PRAGMA cache_size = -4000;
`

const TABLES = `
  CREATE TABLE IF NOT EXISTS octets (
    account TEXT PRIMARY KEY, up INTEGER NOT NULL, down INTEGER NOT NULL, period_end_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS bans (
    subject TEXT PRIMARY KEY, value TEXT NOT NULL, until_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${SCHEMA_VERSION};
`

/** Opens the file, or begins it. Throws what SQLite says; a file of a newer program is one that cannot be used. */
export function openStateFile(path: string): StateFile {
  // User names are private; SQLite would let everybody read them.
  closeSync(openSync(path, 'a', FILE_MODE))
  const database = new DatabaseSync(path)
  try {
    database.exec(SETTINGS)
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0)
    if (version > SCHEMA_VERSION) throw new Error(`it was written by a newer socksmith (version ${version})`)
    database.exec(TABLES)
  } catch (error) {
    database.close()
    throw error
  }
  return new SqliteState(database)
}

class SqliteState implements StateFile {
  readonly #database: DatabaseSync

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  load(nowMs: number): { readonly octets: readonly CountedOctets[]; readonly bans: readonly Ban[] } {
    const octets = this.#database
      .prepare('SELECT account, up, down, period_end_ms FROM octets WHERE period_end_ms > ?')
      .all(nowMs)
      .map(row => ({
        key: String(row['account']),
        up: Number(row['up']),
        down: Number(row['down']),
        periodEndMs: Number(row['period_end_ms']),
      }))
    const bans = this.#database
      .prepare('SELECT value FROM bans WHERE until_ms IS NULL OR until_ms > ?')
      .all(nowMs)
      .flatMap(row => banOf(String(row['value'])) ?? [])
    return { octets, bans: bans.sort((a, b) => a.sinceMs - b.sinceMs) }
  }

  saveOctets(octets: readonly CountedOctets[]): void {
    const insert = this.#database.prepare('INSERT OR REPLACE INTO octets VALUES (?, ?, ?, ?)')
    this.#together(octets, ({ key, up, down, periodEndMs }) => insert.run(key, up, down, periodEndMs))
  }

  saveBans(bans: readonly Ban[]): void {
    const insert = this.#database.prepare('INSERT OR REPLACE INTO bans VALUES (?, ?, ?)')
    this.#together(bans, ban => insert.run(subjectText(ban.subject), JSON.stringify(ban), ban.untilMs ?? null))
  }

  removeBans(keys: readonly string[]): void {
    const remove = this.#database.prepare('DELETE FROM bans WHERE subject = ?')
    this.#together(keys, key => remove.run(key))
  }

  prune(nowMs: number): void {
    this.#database.prepare('DELETE FROM octets WHERE period_end_ms <= ?').run(nowMs)
    this.#database.prepare('DELETE FROM bans WHERE until_ms <= ?').run(nowMs)
  }

  close(): void {
    this.#database.close()
  }

  #together<T>(all: readonly T[], write: (one: T) => void): void {
    if (all.length === 0) return
    this.#database.exec('BEGIN')
    try {
      for (const one of all) write(one)
      this.#database.exec('COMMIT')
    } catch (error) {
      // A full disk may have ended it already.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }
}

/** `undefined` for what somebody else has written. */
function banOf(text: string): Ban | undefined {
  try {
    const value = JSON.parse(text) as Ban
    return isSubject(value.subject) && typeof value.sinceMs === 'number' ? value : undefined
  } catch {
    return undefined
  }
}

function isSubject(value: unknown): value is BanSubject {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false
  const texts = Object.values(value).every(one => typeof one === 'string')
  return texts && ['network', 'user', 'login'].includes(String(value.kind))
}

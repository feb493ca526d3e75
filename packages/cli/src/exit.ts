/** How a command ends: the documented exit codes, and an expected failure as a value. Knows no command. */

/** Exit codes, after sysexits.h. They are part of the command's interface. */
export const EXIT = {
  OK: 0,
  /** What was asked is answered with no: denied, a case failed, a difference was found. */
  NO: 1,
  /** `check`: the server fails no more than recommendations and customs. */
  FAILS_SHOULD: 1,
  /** `check`: the server fails the standard. */
  FAILS_MUST: 2,
  /** `check`: the server fails a case of safety. */
  FAILS_SAFETY: 3,
  /** The command line is wrong. */
  USAGE: 64,
  /** A configuration, a users file or a password is wrong. */
  DATA: 65,
  /** A file to read is missing or cannot be read. */
  NO_INPUT: 66,
  /** An address is in use, or listening there is impossible. */
  UNAVAILABLE: 69,
  /** A bug in socksmith. */
  BUG: 70,
  /** A file cannot be written. */
  CANNOT_WRITE: 73,
  /** Refused for safety. */
  REFUSED: 77,
  /** Ended by Ctrl-C at a question, or by a second signal: 128 and the signal's number. */
  INTERRUPTED: 130,
  TERMINATED: 143,
} as const

/** Why a command cannot go on: what to tell the person, and how to exit. Holds no secret. */
export interface Trouble {
  readonly exitCode: number
  /** One sentence (or a code frame) that names the thing and the way out. */
  readonly message: string
}

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly trouble: Trouble }

export function done<T>(value: T): Outcome<T> {
  return { ok: true, value }
}

export function trouble(exitCode: number, message: string): { readonly ok: false; readonly trouble: Trouble } {
  return { ok: false, trouble: { exitCode, message } }
}

/** What a person understands of a system error on a file: "there is no such file", "permission denied" and so on. */
export function fileErrorText(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return FILE_ERRORS[code] ?? (error instanceof Error ? error.message : String(error))
}

const FILE_ERRORS: { readonly [code: string]: string } = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  ENXIO: 'it is a pipe that nobody reads',
}

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
  /** The HTTP server answered with an error; the number is that of curl --fail. */
  HTTP_STATUS: 22,
  /** The command line is wrong. */
  USAGE: 64,
  /** A configuration, a users file or a password is wrong. */
  DATA: 65,
  /** A file to read is missing or cannot be read. */
  NO_INPUT: 66,
  /** The proxy wants a user name and a password, or rejects those it got. */
  NO_USER: 67,
  /** There is no such host, or no way to it. */
  NO_HOST: 68,
  /** An address is in use, or listening there is impossible; the target refuses, or the proxy says no without a reason. */
  UNAVAILABLE: 69,
  /** A bug in socksmith. */
  BUG: 70,
  /** The proxy cannot be reached, or hangs up. */
  NO_PROXY: 71,
  /** A file cannot be written. */
  CANNOT_WRITE: 73,
  /** A connection broke, or a standard stream did. */
  BROKEN: 74,
  /** No answer in time, or too busy: the same may work later. */
  TRY_LATER: 75,
  /** The other end does not know what it is asked for, or answers nonsense; TLS failed. */
  PROTOCOL: 76,
  /** Refused, by the rules of the proxy or of the route, for safety, or for want of a right. */
  REFUSED: 77,
  /** A variable of the environment does not name a proxy. */
  ENVIRONMENT: 78,
  /** Ended by Ctrl-C at a question, or by a second signal: 128 and the signal's number. */
  INTERRUPTED: 130,
  /** The reader of standard output is gone, as every program in a pipe ends then. */
  NO_READER: 141,
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

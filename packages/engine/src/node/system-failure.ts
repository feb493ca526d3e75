/** Errors of the operating system as failure values. Decides by errno only, never by a message. */
import { codeOfErrno } from '@socksmith/protocol'
import type { Blame, Failure } from '@socksmith/protocol'

// What the far end or the way to it answers. Everything else (descriptors, ports, memory, rights) is a lack on our side.
const TARGET_ERRNOS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENETUNREACH',
  'ENETDOWN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ETIMEDOUT',
  'ENOENT',
  'ENOTFOUND',
])

/** The failure for an error that Node gave; `blame` overrides the blame that its errno suggests. */
export function systemFailure(error: unknown, blame?: Blame): Failure {
  const errno = errnoOf(error)
  if (errno !== undefined) return errnoFailure(errno, blame)
  return { code: codeOfErrno(errno), blame: blame ?? blameOf(errno), detail: String(error) }
}

/** The failure for an errno by its name, such as `"ECONNREFUSED"`. */
export function errnoFailure(errno: string, blame?: Blame): Failure {
  return { code: codeOfErrno(errno), blame: blame ?? blameOf(errno), errno }
}

/** The name of an error, such as `"EADDRINUSE"`; `undefined` for an error without one. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

function blameOf(errno: string | undefined): Blame {
  return errno !== undefined && TARGET_ERRNOS.has(errno) ? 'target' : 'us'
}

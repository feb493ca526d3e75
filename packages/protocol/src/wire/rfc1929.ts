/** User name and password (RFC 1929), both ways. Compares nothing: whoever holds the accounts does that. */
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { type Failure, failure } from '../failure.ts'
import { concat, octetAt } from '../octets.ts'

export const USER_PASSWORD_VERSION = 0x01

export interface UserPasswordRequest {
  /** Any octets, NUL too: never a C string. */
  readonly username: Uint8Array
  readonly password: Uint8Array
}

export interface UserPasswordReply {
  readonly version: number
  /** 0 is success; every other value is failure. */
  readonly status: number
}

/** With `strict`, an empty name or password is malformed, as RFC 1929 draws it; otherwise the accounts decide. */
export function decodeUserPasswordRequest(
  octets: Uint8Array,
  options: { readonly strict?: boolean } = {},
): Decoded<UserPasswordRequest> {
  if (octets.length === 0) return NEED_MORE
  if (octets[0] !== USER_PASSWORD_VERSION) return malformed('bad_version', 'client', `version ${octetAt(octets, 0)}`)
  if (octets.length < 2) return NEED_MORE
  const passwordAt = 3 + octetAt(octets, 1)
  if (octets.length < passwordAt) return NEED_MORE
  const end = passwordAt + octetAt(octets, passwordAt - 1)
  if (octets.length < end) return NEED_MORE
  const request = { username: octets.slice(2, passwordAt - 1), password: octets.slice(passwordAt, end) }
  if (options.strict === true && (request.username.length === 0 || request.password.length === 0)) {
    return malformed('bad_length', 'client', 'ULEN or PLEN is 0')
  }
  return whole(request, end)
}

/** Both fields hold at most 255 octets; the caller has refused longer ones. */
export function encodeUserPasswordRequest(request: UserPasswordRequest): Uint8Array {
  const { username, password } = request
  const head = Uint8Array.of(USER_PASSWORD_VERSION, username.length)
  return concat([head, username, Uint8Array.of(password.length), password])
}

/** Servers that answer 05 instead of 01 exist: VER is judged only with `strict`. */
export function decodeUserPasswordReply(
  octets: Uint8Array,
  options: { readonly strict?: boolean } = {},
): Decoded<UserPasswordReply> {
  if (octets.length === 0) return NEED_MORE
  const version = octetAt(octets, 0)
  if (options.strict === true && version !== USER_PASSWORD_VERSION) {
    return malformed('bad_version', 'server', `version ${version}`)
  }
  if (octets.length < 2) return NEED_MORE
  return whole({ version, status: octetAt(octets, 1) }, 2)
}

export function encodeUserPasswordReply(reply: UserPasswordReply): Uint8Array {
  return Uint8Array.of(reply.version, reply.status)
}

/** What a client makes of a reply. */
export function userPasswordFault(reply: UserPasswordReply): Failure | undefined {
  if (reply.status === 0) return undefined
  return failure('auth_rejected', 'server', 'the server rejects the user name or the password')
}

export const USER_PASSWORD_ACCEPTED: Uint8Array = Uint8Array.of(USER_PASSWORD_VERSION, 0)
export const USER_PASSWORD_REJECTED: Uint8Array = Uint8Array.of(USER_PASSWORD_VERSION, 1)

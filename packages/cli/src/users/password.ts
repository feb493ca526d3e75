/** Passwords and their hashes: argon2id as a PHC string. Knows no user and no file. */
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { Secret } from './secret.ts'

const argon2Async = promisify(argon2)

/** RFC 1929 section 2: PLEN is one octet. */
export const PASSWORD_OCTETS_MAX = 255

/** The parameters of argon2id. */
export interface Argon2Cost {
  readonly memoryKib: number
  readonly passes: number
  readonly lanes: number
}

/** OWASP's first choice: 19 MiB and two passes, about 50 ms on one core. */
export const COST: Argon2Cost = { memoryKib: 19_456, passes: 2, lanes: 1 }

// A users file from elsewhere may ask for more, but not for so much that one login stops the server.
const COST_MAX: Argon2Cost = { memoryKib: 262_144, passes: 16, lanes: 16 }

const SALT_OCTETS = 16
const TAG_OCTETS = 32

/** A hash that was read: what is needed to check a password against it. */
export interface PasswordHash {
  readonly cost: Argon2Cost
  readonly salt: Uint8Array
  readonly tag: Uint8Array
  /** Kept, but nobody can log in with it. */
  readonly isDisabled?: boolean
}

/** Matches nothing that anybody can know, and takes as long to check as a real one of this cost. */
export function unknowableHash(cost: Argon2Cost = COST): PasswordHash {
  return { cost, salt: randomBytes(SALT_OCTETS), tag: randomBytes(TAG_OCTETS) }
}

/** Why this cannot be a password, in a few words; `undefined` when it can. */
export function passwordFault(password: Secret): string | undefined {
  const octets = password.reveal().length
  if (octets === 0) return 'an empty password is not accepted'
  if (octets > PASSWORD_OCTETS_MAX) return `a password has at most ${PASSWORD_OCTETS_MAX} octets (RFC 1929)`
  return undefined
}

/** Hashes a new password with a fresh salt. */
export async function hashPassword(password: Secret): Promise<PasswordHash> {
  const salt = randomBytes(SALT_OCTETS)
  return { cost: COST, salt, tag: await tagOf(password, COST, salt, TAG_OCTETS) }
}

/** True for the right password. Takes as long for a wrong one. */
export async function verifyPassword(password: Secret, hash: PasswordHash): Promise<boolean> {
  const tag = await tagOf(password, hash.cost, hash.salt, hash.tag.length)
  return timingSafeEqual(tag, hash.tag)
}

function tagOf(password: Secret, cost: Argon2Cost, salt: Uint8Array, tagLength: number): Promise<Uint8Array> {
  return argon2Async('argon2id', {
    message: password.reveal(),
    nonce: salt,
    memory: cost.memoryKib,
    passes: cost.passes,
    parallelism: cost.lanes,
    tagLength,
  })
}

/** `$argon2id$v=19$m=19456,t=2,p=1$salt$hash` (the PHC string format). */
export function formatHash(hash: PasswordHash): string {
  const { memoryKib, passes, lanes } = hash.cost
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${base64(hash.salt)}$${base64(hash.tag)}`
}

/** Reads a PHC string of argon2id, version 19; `undefined` for anything else and for a cost out of bounds. */
export function parseHash(text: string): PasswordHash | undefined {
  const match = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(text)
  if (match === null) return undefined
  const [, memory, passes, lanes, salt = '', tag = ''] = match
  const cost = { memoryKib: Number(memory), passes: Number(passes), lanes: Number(lanes) }
  const hash = { cost, salt: Buffer.from(salt, 'base64'), tag: Buffer.from(tag, 'base64') }
  return isAllowed(hash) ? hash : undefined
}

// The lower bounds are those of RFC 9106 section 3.1, and no hash short enough to be guessed.
function isAllowed({ cost, salt, tag }: PasswordHash): boolean {
  if (cost.lanes < 1 || cost.lanes > COST_MAX.lanes) return false
  if (cost.passes < 1 || cost.passes > COST_MAX.passes) return false
  if (cost.memoryKib < 8 * cost.lanes || cost.memoryKib > COST_MAX.memoryKib) return false
  return salt.length >= 8 && salt.length <= 64 && tag.length >= 16 && tag.length <= 64
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString('base64').replace(/=+$/, '')
}

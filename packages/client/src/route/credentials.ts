/**
 * A user name and a password that a route carries. They print as stars wherever they are shown: in an inspection, in
 * JSON and as text. Knows no protocol.
 */
import { utf8Octets } from '@socksmith/protocol'

const HIDDEN = '***'

/** Octets of a user name and a password; what a proxy is told. */
export interface CredentialOctets {
  readonly username: Uint8Array
  readonly password: Uint8Array
}

/** Immutable; only {@link Credentials.reveal} gives the secret out. */
export class Credentials {
  readonly #username: string
  readonly #password: string

  constructor(username: string, password: string) {
    this.#username = username
    this.#password = password
  }

  /** UTF-8. */
  reveal(): CredentialOctets {
    return { username: utf8Octets(this.#username), password: utf8Octets(this.#password) }
  }

  /** True for the same name and password. Not constant-time: both are our own. */
  equals(other: Credentials | undefined): boolean {
    return other !== undefined && other.#username === this.#username && other.#password === this.#password
  }

  toString(): string {
    return HIDDEN
  }

  toJSON(): string {
    return HIDDEN
  }
}

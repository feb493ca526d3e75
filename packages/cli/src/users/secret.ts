/** A secret that does not print: turned into text it gives stars, and an inspection does not see it. */

const STARS = '********'

/** Holds the octets of a secret; only `reveal` gives them out. */
export class Secret {
  readonly #octets: Uint8Array

  constructor(secret: string | Uint8Array) {
    this.#octets = typeof secret === 'string' ? Buffer.from(secret, 'utf8') : secret
  }

  reveal(): Uint8Array {
    return this.#octets
  }

  toString(): string {
    return STARS
  }

  toJSON(): string {
    return STARS
  }
}

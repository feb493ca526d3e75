/** A source of chance that a seed decides (sfc32). Everything random of a run comes from one of these, so it replays. */

export class Random {
  #a: number
  #b = 0x9e37_79b9
  #c = 0x243f_6a88
  #counter = 1

  constructor(seed: number) {
    this.#a = seed | 0
    // The first numbers still show the seed.
    for (let i = 0; i < 12; i++) this.next()
  }

  /** From 0 on, below 1. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return (sum >>> 0) / 0x1_0000_0000
  }

  /** A whole number, both ends included. */
  between(first: number, last: number): number {
    return first + Math.floor(this.next() * (last - first + 1))
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.between(0, choices.length - 1)] as T
  }

  /** One of the keys, as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][]
    let at = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [key, weight] of entries) if ((at -= weight) < 0) return key
    return (entries[0] as [K, number])[0]
  }

  /** Mostly small, seldom up to `most`: sizes at every scale. */
  size(most: number): number {
    return Math.floor(most ** this.next())
  }
}

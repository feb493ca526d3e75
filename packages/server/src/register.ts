/**
 * Who is there: things that come and go by the thousand. An array with free places, since a `Map` makes a new table after
 * so many comings and goings, and each old table leads to the next: garbage of one table that grew old keeps all that came
 * later from being freed young, which costs a busy server half its time. Knows not what is there.
 */
export class Register<T> {
  readonly #places: (T | undefined)[] = []
  readonly #free: number[] = []

  /** How many are there. */
  get size(): number {
    return this.#places.length - this.#free.length
  }

  /** Takes a place, which is given back by {@link leave}. */
  enter(one: T): number {
    const place = this.#free.pop()
    if (place === undefined) return this.#places.push(one) - 1
    this.#places[place] = one
    return place
  }

  /** Puts another in this place. */
  replace(place: number, one: T): void {
    this.#places[place] = one
  }

  /** To be called once for each that entered. */
  leave(place: number): void {
    this.#places[place] = undefined
    this.#free.push(place)
  }

  /** Everyone who is there now, in no order. */
  all(): readonly T[] {
    return this.#places.filter(one => one !== undefined)
  }
}

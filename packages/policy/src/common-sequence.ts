/** What two lists have in common in the same order. Knows not what the elements stand for. */

/** Of a longer middle, a table would take too much memory; none of it then counts as common. */
const CELLS_MAX = 4_000_000

/** Places of common elements: the first ones of both sets belong together, then the second ones, and so on. */
export interface Common {
  readonly inA: ReadonlySet<number>
  readonly inB: ReadonlySet<number>
}

/** The elements that both lists have in the same order: those at both ends, and a longest common sequence of the rest. */
export function commonSequence(a: readonly string[], b: readonly string[]): Common {
  const common = { inA: new Set<number>(), inB: new Set<number>() }
  const keep = (i: number, j: number): void => {
    common.inA.add(i)
    common.inB.add(j)
  }
  const shorter = Math.min(a.length, b.length)
  let start = 0
  while (start < shorter && a[start] === b[start]) keep(start, start++)
  let end = 0
  while (end < shorter - start && a.at(-1 - end) === b.at(-1 - end)) end++
  const [middleA, middleB] = [a.slice(start, a.length - end), b.slice(start, b.length - end)]
  for (const [i, j] of longestIn(middleA, middleB)) keep(start + i, start + j)
  for (; end > 0; end--) keep(a.length - end, b.length - end)
  return common
}

/** The pairs of places of a longest common sequence, in order. */
function longestIn(a: readonly string[], b: readonly string[]): readonly (readonly [i: number, j: number])[] {
  if (a.length * b.length > CELLS_MAX) return []
  // How long it is from place i of one and place j of the other.
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1))
  const at = (i: number, j: number): number => lengths[i]?.[j] ?? 0
  for (let i = a.length - 1; i >= 0; i--) {
    const row = lengths[i] as Uint16Array
    for (let j = b.length - 1; j >= 0; j--)
      row[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
  }
  const pairs: [number, number][] = []
  for (let [i, j] = [0, 0]; at(i, j) > 0;) {
    if (a[i] === b[j]) pairs.push([i++, j++])
    else if (at(i + 1, j) === at(i, j)) i++
    else j++
  }
  return pairs
}

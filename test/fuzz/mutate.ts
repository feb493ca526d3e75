/** Inputs made from inputs: octets changed, put in, taken out, repeated, and parts of others. Knows no format. */
import type { Random } from '../simulation/world/random.ts'

/** Inputs do not grow beyond this; the longest messages and their limits lie below. */
export const INPUT_OCTETS_MAX = 20_000

const TELLING = [0, 1, 2, 3, 4, 5, 9, 10, 13, 32, 127, 128, 253, 254, 255] as const
const CHANGES_MAX = 4

/** One more input. `words` are octets that mean something to the target. */
export function mutated(random: Random, corpus: readonly Uint8Array[], words: readonly Uint8Array[]): Uint8Array {
  let input = random.pick(corpus)
  for (let changes = random.between(1, CHANGES_MAX); changes > 0; changes--) {
    input = changed(random, input, corpus, words)
  }
  return input.subarray(0, INPUT_OCTETS_MAX)
}

function changed(
  random: Random,
  input: Uint8Array,
  corpus: readonly Uint8Array[],
  words: readonly Uint8Array[],
): Uint8Array {
  // What a parser does is mostly decided near the front.
  const at = random.chance(0.5) ? random.between(0, input.length) : random.size(input.length + 1) - 1
  const length = Math.min(random.size(64), input.length - at)
  const [before, behind] = [input.subarray(0, at), input.subarray(at)]
  const kinds = {
    octet: 4,
    bit: 2,
    insert: 2,
    remove: 2,
    repeat: 1,
    long: 0.1,
    part: 1,
    word: words.length > 0 ? 3 : 0,
  }
  switch (random.weighted(kinds)) {
    case 'octet':
      return replaced(input, at, random.chance(0.5) ? random.pick(TELLING) : random.between(0, 255))
    case 'bit':
      return replaced(input, at, (input[at] ?? 0) ^ (1 << random.between(0, 7)))
    case 'insert':
      return joined([before, Uint8Array.of(random.between(0, 255)), behind])
    case 'remove':
      return joined([before, behind.subarray(length)])
    case 'repeat':
      return joined([before, behind.subarray(0, length), behind])
    case 'long':
      return joined([before, new Uint8Array(random.size(INPUT_OCTETS_MAX)).fill(input[at] ?? 0x61), behind])
    case 'part': {
      const other = random.pick(corpus)
      const start = random.between(0, other.length)
      return joined([before, other.subarray(start, start + random.size(200)), behind.subarray(length)])
    }
    case 'word':
      return joined([before, random.pick(words), behind.subarray(random.chance(0.5) ? length : 0)])
  }
}

function replaced(input: Uint8Array, at: number, octet: number): Uint8Array {
  const copy = input.slice()
  if (at < copy.length) copy[at] = octet
  return copy
}

// Not the protocol's own: what is fuzzed must not run while an input is made.
function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

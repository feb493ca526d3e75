/** What many rounds say of one figure: its median, and how far chance may have moved it. */

/** A median, and between which figures it would be 95 times in 100 if all were measured again. */
export interface Estimate {
  readonly median: number
  readonly low: number
  readonly high: number
}

/** The middle one; of an even number, the mean of the two in the middle; 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const [low, high] = [sorted[(sorted.length - 1) >> 1] ?? 0, sorted[sorted.length >> 1] ?? 0]
  return (low + high) / 2
}

/** By the places of the figures in their order alone: whatever their distribution is, half lie on either side of its median. */
export function estimate(values: readonly number[]): Estimate {
  const sorted = values.toSorted((a, b) => a - b)
  const outside = Math.max(0, Math.floor((sorted.length - 1.96 * Math.sqrt(sorted.length)) / 2) - 1)
  const at = (index: number): number => sorted[index] ?? 0
  return { median: median(values), low: at(outside), high: at(sorted.length - 1 - outside) }
}

/** `0.97 (0.94 to 1.01)`. */
export function estimateText({ median: middle, low, high }: Estimate): string {
  return `${middle.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`
}

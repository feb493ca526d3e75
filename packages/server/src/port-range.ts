/** Finds a free port: any, or one of a range. */
import { type Failure } from '@socksmith/protocol'
import type { PortRange } from './options.ts'

/** Tries `open` with port 0, or with each port of the range from a random one on, until one is not in use. */
export async function openInRange<T extends object>(
  range: PortRange | undefined,
  open: (port: number) => Promise<T | Failure>,
): Promise<T | Failure> {
  if (range === undefined) return open(0)
  const count = range.last - range.first + 1
  const start = Math.floor(Math.random() * count)
  let result: T | Failure | undefined
  for (let i = 0; i < count; i++) {
    result = await open(range.first + ((start + i) % count))
    if (!('errno' in result) || result.errno !== 'EADDRINUSE') return result
  }
  return result as T | Failure
}

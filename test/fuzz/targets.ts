/** Everything that is fuzzed, with what earlier runs kept. */
import { existsSync, readFileSync } from 'node:fs'
import { fromHex } from '@socksmith/protocol'
import type { Target } from './fuzz.ts'

/** The file of a target's corpus: one input a line, in hex. */
export function corpusFile(name: string): URL {
  return new URL(`corpus/${name}.txt`, import.meta.url)
}

/** In groups, each loaded when it is wanted: to ask for coverage takes the longer, the more code there is. */
export const GROUPS: readonly (() => Promise<readonly Target[]>)[] = [
  async () => (await import('./decoder-targets.ts')).DECODER_TARGETS.map(withKept),
  async () => (await import('./handshake-targets.ts')).HANDSHAKE_TARGETS.map(withKept),
  async () => (await import('./text-targets.ts')).TEXT_TARGETS.map(withKept),
]

function withKept(target: Target): Target {
  return { ...target, seeds: [...target.seeds, ...keptOf(target.name)] }
}

/** What earlier runs kept of a target. */
export function keptOf(name: string): readonly Uint8Array[] {
  const file = corpusFile(name)
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const octets = fromHex(line)
      if (octets === undefined) throw new Error(`${file.pathname}: not hex: ${line.slice(0, 40)}`)
      return octets
    })
}

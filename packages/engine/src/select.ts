/** Chooses the engine. The only file that knows how many there are. */
import { createNodeEngine } from './node/node-engine.ts'
import type { Engine } from './ports.ts'

/** What a person may ask for: `auto` is the fastest one that runs here. */
export type EngineKind = 'auto' | 'node'

/** The engine that runs, and why it is not a faster one. */
export interface SelectedEngine {
  readonly engine: Engine
  readonly reason?: string
}

/** Chooses and makes the engine. */
export function selectEngine(kind: EngineKind): SelectedEngine {
  const engine = createNodeEngine()
  return kind === 'node' ? { engine, reason: 'it was asked for' } : { engine, reason: 'it is the only one installed' }
}

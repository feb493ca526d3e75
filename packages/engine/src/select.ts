/** Chooses the engine. The only file that knows how many there are. */
import { createLinuxEngine } from './linux/linux-engine.ts'
import { createNodeEngine } from './node/node-engine.ts'
import type { Engine } from './ports.ts'

/** What a person may ask for: `auto` is the fastest one that runs here. */
export type EngineKind = 'auto' | 'linux' | 'node'

/** The engine that runs, and why it is not a faster one. */
export interface SelectedEngine {
  readonly engine: Engine
  readonly reason?: string
}

/** The engine that was asked for cannot run here; `reason` is one sentence without a full stop. */
export interface NoEngine {
  readonly engine?: undefined
  readonly reason: string
}

/** Chooses and makes the engine. Only `linux` can fail: it is never replaced in silence. */
export function selectEngine(kind: 'auto' | 'node'): SelectedEngine
export function selectEngine(kind: EngineKind): SelectedEngine | NoEngine
export function selectEngine(kind: EngineKind): SelectedEngine | NoEngine {
  if (kind === 'node') return { engine: createNodeEngine(), reason: 'it was asked for' }
  const linux = createLinuxEngine()
  if (!('reason' in linux)) return linux
  if (kind === 'linux') return linux
  return { engine: createNodeEngine(), reason: `the Linux engine cannot run here: ${linux.reason}` }
}

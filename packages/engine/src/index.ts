/** The door of the package. */
export * from './happy-eyeballs.ts'
export { IdleWheel, type Idling } from './idle-wheel.ts'
export {
  type DescriptorLedger,
  createDescriptorLedger,
  reclaimDescriptors,
  silenceThread,
} from './linux/descriptor-ledger.ts'
export { createLinuxEngine, recordDescriptors } from './linux/linux-engine.ts'
export { type SharedListener, closeSharedListener, openSharedListener } from './linux/shared-listener.ts'
export { createNodeEngine } from './node/node-engine.ts'
export { systemClock } from './node/system-clock.ts'
export { serverLookup, systemLookup } from './node/system-lookup.ts'
export * from './ports.ts'
export * from './resolver.ts'
export * from './select.ts'

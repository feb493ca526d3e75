/** The door of the package. */
export { ConnectionDuplex } from './connection-duplex.ts'
export * from './happy-eyeballs.ts'
export { IdleWheel, type Idling } from './idle-wheel.ts'
export {
  type DescriptorLedger,
  createDescriptorLedger,
  reclaimDescriptors,
  silenceThread,
} from './linux/descriptor-ledger.ts'
export { createLinuxEngine, recordDescriptors, silenceEngines } from './linux/linux-engine.ts'
export { giveBackSpareMemory, keepNoLargeBlocks } from './linux/spare-memory.ts'
export {
  type SharedListener,
  closeSharedListener,
  openSharedListener,
  steerNewcomers,
} from './linux/shared-listener.ts'
export { socketOf } from './node/node-connection.ts'
export { createNodeEngine } from './node/node-engine.ts'
export { systemClock } from './node/system-clock.ts'
export { serverLookup, systemLookup } from './node/system-lookup.ts'
export * from './ports.ts'
export * from './resolver.ts'
export * from './select.ts'

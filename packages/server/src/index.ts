/** The door of the package. */
export type { ServerEvent } from './event.ts'
export { LOOPBACK, type Network, contains, containsAny, formatNetwork, isInside, parseNetwork } from '@socksmith/policy'
export * from './options.ts'
export type { LiveSession, SessionEnd, SessionRecord } from './record.ts'
export { BACKLOG, type Server, createServer } from './server.ts'
export { type SharedCounts, createSharedCounts, forgetThread, openSharedTally } from './shared-tally.ts'
export type { Counted, Tally } from './tally.ts'
export type { FamilyPreference, HealthCheck, SourceOptions, Way, Ways } from './way.ts'

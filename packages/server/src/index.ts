/** The door of the package. */
export type { ServerEvent } from './event.ts'
export { LOOPBACK, type Network, contains, containsAny, formatNetwork, isInside, parseNetwork } from '@socksmith/policy'
export * from './options.ts'
export type { SessionEnd, SessionRecord } from './record.ts'
export { type Server, createServer } from './server.ts'

/** The door of the package. */
export type { DnsGround } from './dns/ground.ts'
export { type HttpsServer, httpsExchange } from './dns/https-exchange.ts'
export { messageLookup } from './dns/lookup.ts'
export { tcpExchange } from './dns/tcp-exchange.ts'
export { udpExchange } from './dns/udp-exchange.ts'
export type { ServerEvent } from './event.ts'
export { LOOPBACK, type Network, contains, containsAny, formatNetwork, isInside, parseNetwork } from '@socksmith/policy'
export { FAILURE_NUMBERS, Ledger, forgetLedgerThread, keyOfText, keyText, openSharedLedger } from './limit/ledger.ts'
export { comesTo, createLocalAddresses } from './local-addresses.ts'
export { type LedgerMemory, accountsFor, createLedgerMemory } from './limit/ledger-memory.ts'
export { type Ban, BanList, type BanSubject, clientOfNetwork, networkOfClient, subjectText } from './login/ban-list.ts'
export * from './options.ts'
export type { LiveSession, RefusedBy, SessionEnd, SessionRecord } from './record.ts'
export { BACKLOG, type Server, createServer } from './server.ts'
export {
  type SharedCounts,
  connectionsOfThread,
  createSharedCounts,
  forgetThread,
  openSharedTally,
} from './shared-tally.ts'
export type { Counted, Tally } from './tally.ts'
export type { FamilyPreference, HealthCheck, SourceOptions, Way, Ways } from './way.ts'

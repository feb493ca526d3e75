/** The door of the package. */
export { type CaseResult, runCases } from './cases.ts'
export { type CompileOptions, type Decider, compile } from './compile/compile.ts'
export type { InsideOptions } from './compile/inside-table.ts'
export * from './decision.ts'
export { type Difference, type PolicyDiff, type Surroundings, diff } from './diff.ts'
export { type Asked, type Explanation, explain } from './explain.ts'
export * from './facts.ts'
export * from './limit.ts'
export { type Finding, type FindingKind, lint } from './lint.ts'
export { nearest } from './nearest.ts'
export { LOOPBACK, type Network, contains, containsAny, formatNetwork, isInside, parseNetwork } from './network.ts'
export { type Stretch, stretchAt } from './period.ts'
export type { Point } from './points.ts'
export * from './policy.ts'
export * from './problem.ts'
export { DURATION_MS_MAX, DURATION_UNITS, SIZE_UNITS, formatQuantity, parseQuantity } from './quantity.ts'
export { limitConditionText } from './read/limit.ts'
export { type ReadPolicy, readPolicy, readQuestion } from './read/read-policy.ts'
export { replyWord } from './read/rule.ts'
export type { PolicySource } from './read/source.ts'
export { parseDestination } from './read/target.ts'
export { type ChangedSession, type Replayed, replay } from './replay.ts'
export {
  ANY_PEER_OFF,
  type LocalAddresses,
  OWN_LISTENER,
  type ServerSetting,
  UNSPECIFIED_TARGET,
  isOwnEndpoint,
  wayBlocked,
} from './server-refusal.ts'
export type { Step, Walk } from './walk.ts'
export { type Mmdb, fieldOf, openMmdb } from './mmdb.ts'

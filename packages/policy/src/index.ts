/** The door of the package. */
export { type CompileOptions, type Decider, compile } from './compile/compile.ts'
export type { InsideOptions } from './compile/inside-table.ts'
export * from './decision.ts'
export * from './facts.ts'
export { nearest } from './nearest.ts'
export {
  LOOPBACK,
  type Network,
  contains,
  containsAny,
  formatNetwork,
  isInside,
  parseNetwork,
} from './network.ts'
export * from './policy.ts'
export * from './problem.ts'

/** The door of the load generator. */
export * from './latencies.ts'
export * from './mode.ts'
export * from './proxy-url.ts'
export * from './run.ts'
export * from './ways.ts'
export * from './report-text.ts'

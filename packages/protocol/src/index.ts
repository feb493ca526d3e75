/** The door of the package: every message, every machine, no I/O. */
export * from './address.ts'
export * from './decoded.ts'
export * from './failure.ts'
export * from './name.ts'
export * from './octets.ts'
export * from './text.ts'

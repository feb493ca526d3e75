/** The door of the package. */
export type * from './ports.ts'

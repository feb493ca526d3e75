/** The targets, named by the port that a client asks the proxy for. They are all the same process. */
export const TARGET = { source: 7_001, echo: 7_002, web: 7_003, secureWeb: 7_004 } as const

/** Every target's address. */
export const HOST = '127.0.0.1'

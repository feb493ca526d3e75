/**
 * The signal of a `fetch`, on its way to our own dispatcher: the built-in `fetch` keeps it to itself, and a connection
 * that nobody waits for any more would go on.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

export const requestSignal: AsyncLocalStorage<AbortSignal | undefined> = new AsyncLocalStorage()

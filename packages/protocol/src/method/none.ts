/** Method 00: no octets at all; the request follows at once (RFC 1928 section 3). */
import { METHOD } from '../wire/socks5-selection.ts'
import type { ExchangeStep, Method } from './exchange.ts'

const DONE: ExchangeStep = { kind: 'done', consumed: 0 }

/** For both ends. */
export const noneMethod: Method = {
  number: METHOD.none,
  begin: () => ({ read: () => DONE }),
}

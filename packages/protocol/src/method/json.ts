/**
 * Method 09, the JSON parameter block (Pluggable Transports 3.0, Dispatcher IPC), at both ends. It proves nobody's
 * identity. A server that has read the block says nothing: its next word is the reply to the request.
 */
import { type Failure, failure } from '../failure.ts'
import { type JsonParameters, decodeJsonBlock, encodeJsonBlock, refusalOfJsonBlock } from '../wire/json-block.ts'
import { METHOD } from '../wire/socks5-selection.ts'
import type { ExchangeStep, Method } from './exchange.ts'

/** The server's end. `accepts` says whether the keys and values are what the transport needs; default: any are. */
export function jsonServer(accepts: (parameters: JsonParameters) => boolean = () => true): Method {
  return { number: METHOD.json, begin: () => ({ read: octets => readBlock(octets, accepts) }) }
}

/** The client's end. The text of the parameters has at most `JSON_BLOCK_OCTETS_MAX` octets. */
export function jsonClient(parameters: JsonParameters): Method {
  const sent: ExchangeStep = { kind: 'done', consumed: 0, send: encodeJsonBlock(parameters) }
  return { number: METHOD.json, begin: () => ({ read: () => sent }) }
}

function readBlock(octets: Uint8Array, accepts: (parameters: JsonParameters) => boolean): ExchangeStep {
  const decoded = decodeJsonBlock(octets)
  if (decoded.kind === 'need-more') return decoded
  if (decoded.kind === 'malformed') return refused(decoded.failure)
  const { parameters } = decoded.value
  if (!accepts(parameters)) return refused(failure('bad_parameters', 'client', 'keys or values are missing or wrong'))
  return { kind: 'done', consumed: decoded.consumed, parameters }
}

function refused(cause: Failure): ExchangeStep {
  return { kind: 'failed', send: refusalOfJsonBlock(cause), failure: cause }
}

/**
 * The parameter block of method 09 (Pluggable Transports 3.0, Dispatcher IPC): a length and a JSON object. Knows no
 * parameter; which keys are needed is the caller's to say.
 */
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import type { Failure } from '../failure.ts'
import { concat, uint32, uint32At } from '../octets.ts'
import { utf8Octets, utf8Text } from '../text.ts'
import { encodeSocks5Failure } from './socks5-reply.ts'

/** 64 KiB: parameters of a transport are a few hundred octets, and the length comes from someone unknown. */
export const JSON_BLOCK_OCTETS_MAX = 65_536

/** REP of the ordinary reply in which the server tells what is wrong with the block. */
export const JSON_REP = { tooLarge: 0x10, timeout: 0x11, notParsed: 0x12, badParameters: 0x13 } as const

export interface JsonParameters {
  readonly [key: string]: unknown
}

export interface JsonBlock {
  /** Octets of the JSON text as it was sent. */
  readonly length: number
  readonly parameters: JsonParameters
}

export function decodeJsonBlock(octets: Uint8Array): Decoded<JsonBlock> {
  if (octets.length < 4) return NEED_MORE
  const length = uint32At(octets, 0)
  if (length === 0) return malformed('bad_length', 'client', 'the block is empty')
  if (length > JSON_BLOCK_OCTETS_MAX) return malformed('too_large', 'client', `a block of ${length} octets`)
  if (octets.length < 4 + length) return NEED_MORE
  const text = utf8Text(octets.subarray(4, 4 + length))
  const parsed = text === undefined ? undefined : parseJson(text)
  if (text === undefined || parsed === undefined)
    return malformed('bad_json', 'client', 'the block is not JSON in UTF-8')
  if (!isParameters(parsed.value)) return malformed('bad_parameters', 'client', 'the block is not an object')
  if (hasRepeatedKey(text)) return malformed('bad_parameters', 'client', 'a key stands twice')
  return whole({ length, parameters: parsed.value }, 4 + length)
}

/** Values are what JSON can say. A server may refuse more than {@link JSON_BLOCK_OCTETS_MAX} octets. */
export function encodeJsonBlock(parameters: JsonParameters): Uint8Array {
  const text = utf8Octets(JSON.stringify(parameters))
  return concat([Uint8Array.from(uint32(text.length)), text])
}

/** The reply that refuses a block; `timed_out` is for one that did not come. */
export function refusalOfJsonBlock(cause: Failure): Uint8Array {
  switch (cause.code) {
    case 'too_large':
      return encodeSocks5Failure(JSON_REP.tooLarge)
    case 'timed_out':
      return encodeSocks5Failure(JSON_REP.timeout)
    case 'bad_parameters':
      return encodeSocks5Failure(JSON_REP.badParameters)
    default:
      return encodeSocks5Failure(JSON_REP.notParsed)
  }
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}

function isParameters(value: unknown): value is JsonParameters {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// JSON.parse keeps the last of equal keys in silence, and another parser may keep the first. The text is known to be
// valid here, so that its strings and brackets are all there is to see.
function hasRepeatedKey(text: string): boolean {
  const seen = new Set<string>()
  let depth = 0
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(?:[ \t\r\n]*:)?|[{}[\]]/g)) {
    if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') depth--
    else if (depth === 1 && token.endsWith(':')) {
      const key = JSON.parse(token.slice(0, -1)) as string
      if (seen.has(key)) return true
      seen.add(key)
    }
  }
  return false
}

/** Looks at one exchange alone: feeds it hex and shows what a step came to. */
import assert from 'node:assert/strict'
import type { Exchange, ExchangeStep } from '../../src/method/exchange.ts'
import { fromHex, toHex } from '../../src/octets.ts'

export function octetsOf(hex: string): Uint8Array {
  const octets = fromHex(hex.replaceAll(' ', ''))
  assert.ok(octets, hex)
  return octets
}

export function feed(exchange: Exchange, hex: string): ExchangeStep {
  return exchange.read(octetsOf(hex))
}

/** What a step sends, in hex. */
export function sentBy(step: ExchangeStep): string {
  return step.kind === 'need-more' || step.send === undefined ? '' : toHex(step.send)
}

/** The code and the blame of a step that failed, and what it sends first: `"bad_version client 0101000101"`. */
export function fault(step: ExchangeStep): string {
  if (step.kind !== 'failed') return step.kind
  return `${step.failure.code} ${step.failure.blame} ${sentBy(step)}`.trim()
}

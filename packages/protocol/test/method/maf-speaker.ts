/** A made-up method for MAF that speaks words in turn: each word that arrives must be the expected one. */
import { failure } from '../../src/failure.ts'
import type { Exchange, ExchangeStep } from '../../src/method/exchange.ts'
import { latin1Text, utf8Octets } from '../../src/text.ts'

export interface Words {
  /** Said before anything is heard. */
  readonly first?: string
  readonly expect: readonly string[]
  /** The answer to each expected word, as far as there are answers. */
  readonly say: readonly string[]
}

export function speaker({ first, expect, say }: Words): Exchange {
  let heard = 0
  return {
    begin: () =>
      first === undefined ? { kind: 'need-more' } : { kind: 'continue', consumed: 0, send: utf8Octets(first) },
    read(octets): ExchangeStep {
      const word = expect[heard] ?? ''
      const text = latin1Text(octets.subarray(0, word.length))
      if (!word.startsWith(text)) {
        return { kind: 'failed', send: utf8Octets('no'), failure: failure('auth_rejected', 'client', 'another word') }
      }
      if (text.length < word.length) return { kind: 'need-more' }
      const answer = say[heard]
      heard++
      const kind = heard === expect.length ? 'done' : 'continue'
      return { kind, consumed: word.length, ...(answer !== undefined && { send: utf8Octets(answer) }) }
    },
  }
}

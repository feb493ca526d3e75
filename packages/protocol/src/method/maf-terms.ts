/**
 * What both ends of MAF (method 08; draft-ietf-aft-socks-maf-01) share: limits, messages, and the run of one method
 * inside the framework, whose octets travel in the DATA of Process. None is public: all are handed in.
 */
import { concat, sameOctets } from '../octets.ts'
import { MAF_DATA_OCTETS_MAX, MAF_INSTR, type MafMessage, encodeMafMessage } from '../wire/maf-message.ts'
import type { Exchange, ExchangeStep, Protection } from './exchange.ts'
import type { InnerStep } from './inner-exchange.ts'
import { layeredProtection } from './layered-protection.ts'

/** Messages from the other end in one exchange: a few dozen carry any method, and the draft sets no end. */
export const MAF_MESSAGES_MAX = 256

/** The compact id that says in a Can Do: more ids are available. */
export const MAF_MORE_IDS: Uint8Array = Uint8Array.of(0, 0, 0, 2)

/** A method inside the framework, at one end. */
export interface MafMethod {
  /** 4 octets (compact) or 16 (UUID). */
  readonly id: Uint8Array
  begin(): Exchange
}

/** What the methods that have succeeded came to, the later on top. */
export type MafResult = Pick<Extract<ExchangeStep, { kind: 'done' }>, 'user' | 'protection' | 'parameters'>

/** The later method names the user; protections are put one inside the other. */
export function joinMafResults(earlier: MafResult, step: MafResult): MafResult {
  const { user = earlier.user, parameters = earlier.parameters } = step
  const protection: Protection | undefined = layeredProtection(step.protection, earlier.protection)
  return { ...(user !== undefined && { user }), ...(protection && { protection }), ...(parameters && { parameters }) }
}

/** The Process messages that carry what an inner step sends; none for nothing. */
export function processMessages(method: Uint8Array, step: InnerStep): Uint8Array {
  const data = step.send ?? new Uint8Array(0)
  const messages: Uint8Array[] = []
  for (let at = 0; at < data.length; at += MAF_DATA_OCTETS_MAX) {
    const part = data.subarray(at, at + MAF_DATA_OCTETS_MAX)
    messages.push(encodeMafMessage({ instr: MAF_INSTR.process, flags: 0, method, data: part }))
  }
  return concat(messages)
}

/** A message that is nothing but its INSTR. */
export function bareMafMessage(instr: MafMessage['instr'] & (0 | 2 | 4 | 6 | 255)): Uint8Array {
  return encodeMafMessage({ instr, flags: 0 })
}

const OEM_NOT_SUPPORTED = Uint8Array.of(0xff, 0xff, 0xff, 0xff)

/** The answer that every OEM message must get. One that says "not supported" is an answer itself and gets none. */
export function answerToOem(message: MafMessage & { readonly oemId: Uint8Array }): Uint8Array {
  if (sameOctets(message.oemId, OEM_NOT_SUPPORTED)) return new Uint8Array(0)
  const data = new Uint8Array(0)
  return encodeMafMessage({ instr: MAF_INSTR.oem, flags: 0, oemId: OEM_NOT_SUPPORTED, data })
}

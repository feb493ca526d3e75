/**
 * Loads the vectors and runs them through adapters: whole, byte by byte, at each split, with octets behind, and back.
 * Knows no message: an adapter says how one is decoded, shown as JSON, and encoded.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import type { Decoded, Whole } from '../src/decoded.ts'
import type { Failure } from '../src/failure.ts'
import { concat, fromHex, toHex } from '../src/octets.ts'
import { latin1Text } from '../src/text.ts'

/** How the parser of a vector is set up. */
export interface Context {
  readonly accounts?: Readonly<Record<string, string>>
  readonly asked?: readonly [number, number]
  readonly commands?: readonly number[]
  /** Decode without judging failure codes. */
  readonly decodeOnly?: boolean
  readonly expect?: number
  readonly expectResponse?: string
  readonly hmac?: boolean
  readonly mockGss?: boolean
  readonly nec?: boolean
  readonly noChallengeYet?: boolean
  readonly offered?: readonly number[]
  readonly reassemble?: boolean
  /** The end that parses; the server when it is not given. */
  readonly side?: 'client'
  readonly state?: number
  readonly strict?: boolean
  readonly supported?: readonly number[]
  readonly tor?: boolean
}

interface Vector {
  readonly id: string
  readonly message: string
  readonly length: number
  readonly hex: string
  readonly context?: Context
}

export interface ValidVector extends Vector {
  readonly decoded: unknown
  readonly consumed?: number
}

export interface MalformedVector extends Vector {
  readonly expect: {
    readonly outcome: 'need_more' | 'reply_close' | 'http_error' | 'close' | 'drop' | 'error' | 'accept'
    readonly errorKind?: string
    readonly onEof?: string
    readonly replyHex?: string
    readonly rep?: number
    readonly http?: number
    readonly decoded?: unknown
    readonly consumed?: number
  }
}

export interface ChallengeResponseVector {
  readonly id: string
  readonly algorithmId: string
  readonly identifier?: number
  readonly keyHex: string
  readonly challengeHex: string
  readonly responseHex: string
}

export interface BndSubstitutionVector {
  readonly id: string
  readonly bnd: string
  readonly server: string
  readonly use: string | null
}

export interface ErrnoVector {
  readonly error: string
  readonly rep: number
}

export interface Vectors {
  readonly errnoToRep: readonly ErrnoVector[]
  readonly errorKinds: readonly string[]
  readonly valid: readonly ValidVector[]
  readonly malformed: readonly MalformedVector[]
  readonly chunking: readonly Vector[]
  readonly challengeResponse: readonly ChallengeResponseVector[]
  readonly bndSubstitution: readonly BndSubstitutionVector[]
}

export const vectors: Vectors = JSON.parse(
  readFileSync(new URL('./data/vectors.json', import.meta.url), 'utf8'),
) as Vectors

/** One message, as the runner needs it. Methods, so that the adapters of different messages fit one table. */
export interface Adapter<T = unknown> {
  decode(octets: Uint8Array, context: Context): Decoded<T>
  /** What the vector's `decoded` holds; `octets` are those of the message alone. */
  toJson(value: T, octets: Uint8Array, context: Context): unknown
  /** Must give the octets that were decoded, unless the vector is named in `lenient`. */
  encode?(value: T, context: Context): Uint8Array
  /** What leaves on the wire before the close, for vectors with a `replyHex` or an `http` status. */
  refusal?(failure: Failure, context: Context, octets: Uint8Array): Uint8Array | undefined
  /** The message is a whole datagram: it is never fed in pieces, and octets behind it are part of it. */
  readonly datagram?: boolean
  /** Ids of valid vectors in an unusual form: encoding gives the usual form, which decodes to the same. */
  readonly lenient?: readonly string[]
}

/** Infers T from `decode`; the result fits the table of {@link runVectors}. */
export function adapter<T>(parts: Adapter<T>): Adapter {
  return parts
}

/** The octets of a vector's hex. */
export function octetsOf(hex: string): Uint8Array {
  const octets = fromHex(hex)
  assert.ok(octets !== undefined, `not hex: ${hex}`)
  return octets
}

/** The ids that {@link runVectors} has run in this process, by list. */
export const ran = { valid: new Set<string>(), malformed: new Set<string>(), chunking: new Set<string>() }

/** Registers one test for each valid and malformed vector (and the chunking list) of the messages in the table. */
export function runVectors(adapters: Readonly<Record<string, Adapter>>): void {
  for (const [message, one] of Object.entries(adapters)) {
    const mine = <V extends Vector>(list: readonly V[]): V[] => list.filter(vector => vector.message === message)
    suite(message, () => {
      test('has vectors', () => assert.ok(mine(vectors.valid).length > 0))
      for (const vector of mine(vectors.valid)) test(`${vector.id} is valid`, () => checkValid(one, vector))
      for (const vector of mine(vectors.malformed)) {
        test(`${vector.id} comes to ${vector.expect.outcome}`, () => checkMalformed(one, vector))
      }
      for (const vector of mine(vectors.chunking)) {
        test(`${vector.id} is the same in any pieces`, () => {
          ran.chunking.add(vector.id)
          const octets = octetsOf(vector.hex)
          checkPieces(one, octets, octets.length, vector.context ?? {})
        })
      }
    })
  }
}

function checkValid(one: Adapter, vector: ValidVector): void {
  ran.valid.add(vector.id)
  const octets = octetsOf(vector.hex)
  assert.equal(octets.length, vector.length)
  const context = vector.context ?? {}
  const consumed = vector.consumed ?? octets.length
  const answer = wholeOf(one.decode(octets, context))
  assert.deepEqual(one.toJson(answer.value, octets.subarray(0, consumed), context), vector.decoded)
  assert.equal(answer.consumed, consumed)
  assert.equal(toHex(octets), vector.hex, 'decoding leaves the octets as they were')
  if (one.datagram !== true) checkPieces(one, octets, consumed, context)
  if (one.encode !== undefined) checkEncode(one, answer.value, octets.subarray(0, consumed), vector)
}

function checkEncode(one: Adapter, value: unknown, octets: Uint8Array, vector: ValidVector): void {
  const context = vector.context ?? {}
  const again = one.encode?.(value, context) as Uint8Array
  if (one.lenient?.includes(vector.id) !== true) {
    assert.equal(toHex(again), toHex(octets))
    return
  }
  assert.notEqual(toHex(again), toHex(octets), 'listed as lenient, but is the usual form')
  const decoded = wholeOf(one.decode(again, context))
  assert.deepEqual(one.toJson(decoded.value, again, context), vector.decoded)
}

// A decoder sees everything from the start of its message each time: pieces are growing prefixes.
function checkPieces(one: Adapter, octets: Uint8Array, consumed: number, context: Context): void {
  const message = octets.subarray(0, consumed)
  const shown = (all: Uint8Array): unknown => {
    const answer = wholeOf(one.decode(all, context))
    assert.equal(answer.consumed, consumed)
    return one.toJson(answer.value, message, context)
  }
  const expected = shown(octets)
  for (let split = 0; split < consumed; split++) {
    const prefix = one.decode(message.slice(0, split), context)
    assert.equal(prefix.kind, 'need-more', `after ${split} octets of ${consumed}`)
    // The rest arrives: in a buffer of its own, so that a view into the prefix would show.
    assert.deepEqual(shown(concat([message.subarray(0, split), message.subarray(split)])), expected)
  }
  assert.deepEqual(shown(concat([message, Uint8Array.of(0x00, 0x01, 0x05, 0xff, 0x0a)])), expected, 'octets behind')
}

function checkMalformed(one: Adapter, vector: MalformedVector): void {
  ran.malformed.add(vector.id)
  const octets = octetsOf(vector.hex)
  assert.equal(octets.length, vector.length)
  const context = vector.context ?? {}
  const { expect } = vector
  const answer = one.decode(octets, context)
  if (expect.outcome === 'need_more') {
    for (let length = 0; length <= octets.length; length++) {
      assert.equal(one.decode(octets.slice(0, length), context).kind, 'need-more', `after ${length} octets`)
    }
    return
  }
  if (expect.outcome === 'accept') {
    const { value, consumed } = wholeOf(answer)
    assert.equal(consumed, expect.consumed ?? octets.length)
    assert.deepEqual(one.toJson(value, octets.subarray(0, consumed), context), expect.decoded)
    return
  }
  const failure = failureOf(answer)
  assert.equal(failure.code, expect.errorKind)
  if (expect.outcome === 'error') assert.notEqual(failure.blame, 'us')
  else assert.equal(failure.blame, 'client')
  if (one.datagram !== true) assert.equal(firstFailure(one, octets, context)?.code, expect.errorKind, 'byte by byte')
  checkRefusal(one, failure, vector)
}

function checkRefusal(one: Adapter, failure: Failure, vector: MalformedVector): void {
  const { outcome, replyHex, rep, http } = vector.expect
  const refusal = one.refusal?.(failure, vector.context ?? {}, octetsOf(vector.hex))
  if (replyHex !== undefined) assert.equal(refusal && toHex(refusal), replyHex)
  if (outcome === 'close' || outcome === 'drop') assert.equal(refusal, undefined, 'nothing is sent')
  if (outcome === 'http_error')
    assert.match(latin1Text(refusal ?? new Uint8Array(0)), new RegExp(`^HTTP/1\\.1 ${http} `))
  if (outcome === 'error' && rep !== undefined) assert.equal(failure.rep, rep)
  if (outcome === 'error' && http !== undefined) assert.equal(failure.status, http)
}

function firstFailure(one: Adapter, octets: Uint8Array, context: Context): Failure | undefined {
  for (let length = 0; length <= octets.length; length++) {
    const answer = one.decode(octets.slice(0, length), context)
    if (answer.kind === 'malformed') return answer.failure
    assert.equal(answer.kind, 'need-more', `after ${length} octets`)
  }
  return undefined
}

function wholeOf(answer: Decoded<unknown>): Whole<unknown> {
  if (answer.kind !== 'whole') assert.fail(`expected a whole message: ${JSON.stringify(answer)}`)
  return answer
}

function failureOf(answer: Decoded<unknown>): Failure {
  if (answer.kind !== 'malformed') assert.fail(`expected a failure: ${answer.kind}`)
  return answer.failure
}

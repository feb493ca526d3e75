/**
 * A condition as terms: it holds when one term holds, and a term holds when each of its literals does. What and, or and
 * not mean is settled here, once, so that the tables know single tests only.
 */
import type { Condition, Test } from '../policy.ts'

export interface Literal {
  readonly test: Test
  /** False: the test must not hold. */
  readonly isPositive: boolean
}

export interface Term {
  readonly literals: readonly Literal[]
  /** The term names the target by a network that is inside: an allow opens it to clients from elsewhere. */
  readonly opensInside: boolean
}

/** Alternatives within alternatives multiply; a rule beyond this is better written as several. */
export const TERMS_PER_RULE_MAX = 1_024

/** The terms, those that open inside addresses first; `undefined` when there are too many. */
export function termsOf(condition: Condition): readonly Term[] | undefined {
  const products = productsOf(condition, true)
  if (products === undefined) return undefined
  const terms = products.map(literals => ({ literals, opensInside: literals.some(opensInside) }))
  return [...terms.filter(term => term.opensInside), ...terms.filter(term => !term.opensInside)]
}

function opensInside({ test, isPositive }: Literal): boolean {
  return isPositive && test.kind === 'address' && test.inside
}

type Products = readonly (readonly Literal[])[]

function productsOf(condition: Condition, isPositive: boolean): Products | undefined {
  switch (condition.kind) {
    case 'everything':
      return isPositive ? [[]] : []
    case 'not':
      return productsOf(condition.of, !isPositive)
    case 'all':
    case 'any': {
      const parts = condition.of.map(part => productsOf(part, isPositive))
      // Not (a and b) is not a, or not b.
      return (condition.kind === 'all') === isPositive ? productOf(parts) : sumOf(parts)
    }
    default:
      return [[{ test: condition, isPositive }]]
  }
}

function sumOf(parts: readonly (Products | undefined)[]): Products | undefined {
  const sum: (readonly Literal[])[] = []
  for (const part of parts) {
    if (part === undefined || sum.length + part.length > TERMS_PER_RULE_MAX) return undefined
    sum.push(...part)
  }
  return sum
}

function productOf(parts: readonly (Products | undefined)[]): Products | undefined {
  let product: Products = [[]]
  for (const part of parts) {
    if (part === undefined || product.length * part.length > TERMS_PER_RULE_MAX) return undefined
    product = product.flatMap(left => part.map(right => [...left, ...right]))
  }
  return product
}

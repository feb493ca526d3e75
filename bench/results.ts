/** Figures as they come, by measure, program and round; medians of them, and medians of ratios within a round. */
import {
  type Estimate,
  type Figure,
  type HoldReport,
  type Sample,
  estimate,
  figureOf,
  median,
} from '@socksmith/instruments/bench'

/** Stands where a program's key does. */
export const CEILING = 'no-proxy'

export class Results {
  readonly #samples = new Map<string, Sample[]>()
  readonly #holds = new Map<string, HoldReport[]>()
  readonly #rests = new Map<string, number[]>()
  /** What could not be measured, and why: a sentence each. */
  readonly failures: string[] = []

  addSample(measure: string, program: string, sample: Sample): void {
    pushTo(this.#samples, `${measure} ${program}`, sample)
  }

  addHold(measure: string, program: string, report: HoldReport): void {
    pushTo(this.#holds, `${measure} ${program}`, report)
  }

  /** Octets of the process at rest. */
  addRest(program: string, octets: number): void {
    pushTo(this.#rests, program, octets)
  }

  /** Medians; `undefined` without a sample. */
  figure(measure: string, program: string): Figure | undefined {
    const samples = this.#samples.get(`${measure} ${program}`)
    return samples && figureOf(samples)
  }

  /** Of the ratios of each round. */
  ratio(of: Cell, to: Cell, value: (sample: Sample) => number | undefined = perSecond): Estimate | undefined {
    const [ours, theirs] = [of, to].map(({ measure, program }) => this.#samples.get(`${measure} ${program}`) ?? [])
    const ratios = (ours ?? []).flatMap((sample, round) => {
      const [a, b] = [value(sample), theirs?.[round] && value(theirs[round])]
      return a === undefined || b === undefined || b === 0 ? [] : [a / b]
    })
    return ratios.length === 0 ? undefined : estimate(ratios)
  }

  /** The report whose memory is the median. */
  hold(measure: string, program: string): HoldReport | undefined {
    const reports = this.#holds.get(`${measure} ${program}`) ?? []
    const sorted = reports.toSorted((a, b) => (a.memory?.octetsPerTunnel ?? 0) - (b.memory?.octetsPerTunnel ?? 0))
    return sorted[(sorted.length - 1) >> 1]
  }

  /** Octets, the median. */
  rest(program: string): number | undefined {
    const rests = this.#rests.get(program)
    return rests && median(rests)
  }
}

export interface Cell {
  readonly measure: string
  readonly program: string
}

export function perSecond({ amount, seconds }: Sample): number {
  return amount / seconds
}

function pushTo<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}

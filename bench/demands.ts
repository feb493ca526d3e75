/** What the figures must show, as data: the target of each line, what was found, and whether it is met. */
import { type Estimate, type HoldReport, type Sample, estimateText } from '@socksmith/instruments/bench'
import { CEILING, type Results } from './results.ts'

export interface Verdict {
  readonly demand: string
  readonly target: string
  /** Absent when it was not measured in this run. */
  readonly found?: string
  readonly met?: Met
}

/** Within chance: the median is on this side of the target, and a part of its interval on the other. */
export type Met = 'met' | 'not met' | 'met, within chance' | 'not met, within chance'

const OURS = 'socksmith'

/** All demands, in their order. */
export function verdicts(results: Results): readonly Verdict[] {
  return [...rateVerdicts(results), ...memoryVerdicts(results)]
}

function rateVerdicts(results: Results): readonly Verdict[] {
  const against = (demand: string, measure: string, program: string, least: number): Verdict => {
    const found = results.ratio({ measure, program: OURS }, { measure, program })
    return atLeast(`${demand}, to ${NAMES[program] ?? program}`, least, found)
  }
  const toDante = results.ratio({ measure: 'down', program: OURS }, { measure: 'down', program: 'dante' }, cpuPerUnit)
  const login = results.ratio({ measure: 'login', program: OURS }, { measure: 'open', program: OURS })
  const late = results.ratio(
    { measure: 'roundtrip', program: OURS },
    { measure: 'roundtrip', program: 'microsocks' },
    p99,
  )
  return [
    against('one stream down', 'down', CEILING, 0.75),
    against('one stream down', 'down', 'dante', 2.3),
    against('one stream up', 'up', CEILING, 0.75),
    against('one stream up', 'up', 'dante', 2.3),
    against('16 streams down', 'down16', CEILING, 0.68),
    atMost('processor time per GiB, to Dante', 0.25, toDante),
    against('tunnels opened', 'open', 'microsocks', 1.3),
    against('tunnels opened', 'open', CEILING, 0.5),
    atLeast('tunnels opened with a password, to without', 0.85, login),
    against('round trips', 'roundtrip', 'microsocks', 1.3),
    atMost('p99 of round trips, to microsocks', 1, late),
    against('UDP echoes', 'udp', 'dante', 2.3),
    against('UDP echoes', 'udp', CEILING, 0.45),
    ...RULED.map(([demand, measure]) => {
      const found = results.ratio({ measure, program: `${OURS}-rules` }, { measure, program: OURS })
      return atLeast(`${demand} with 1,000 rules, to without`, 0.95, found)
    }),
  ]
}

/** What rules and counting could cost. */
const RULED = [
  ['one stream down', 'down'],
  ['16 streams down', 'down16'],
  ['tunnels opened', 'open'],
  ['round trips', 'roundtrip'],
  ['UDP echoes', 'udp'],
] as const

function cpuPerUnit({ cpuSeconds, amount }: Sample): number | undefined {
  return cpuSeconds && cpuSeconds / amount
}

function p99({ latencies }: Sample): number | undefined {
  return latencies?.percentile(0.99)
}

const NAMES: { readonly [key: string]: string } = { [CEILING]: 'no proxy', dante: 'Dante', microsocks: 'microsocks' }

const KIB = 1_024
const MIB = 1_024 * KIB

function memoryVerdicts(results: Results): readonly Verdict[] {
  const { memory } = results.hold('idle', OURS) ?? {}
  const crowd = results.hold('crowd', OURS)
  const isServed = crowd && crowd.answered === crowd.tunnels && (crowd.busy?.tripsPerSecond ?? 0) > 0
  const stalls = ['socksmith', 'socksmith-0', 'socksmith-node'].map(program => ({
    demand: `a stalled reader, ${program}`,
    stall: results.hold('stall', program),
  }))
  return [
    atMost('octets of an idle tunnel', 1_024, memory?.octetsPerTunnel),
    atMost('MiB of the idle process, two workers', 120, inMib(results.rest(OURS))),
    atMost('MiB of the idle process, no worker', 70, inMib(results.rest('socksmith-0'))),
    { demand: '9,000 idle and 500 busy tunnels', target: 'all served', ...told(isServed, yesOrNo(isServed)) },
    atMost('MiB of the process with them', 250, inMib(crowd && crowdOctets(crowd))),
    ...stalls.flatMap(({ demand, stall }) => [
      atMost(`${demand}, KiB`, 256, stall?.memory && stall.memory.octetsPerTunnel / KIB),
      {
        demand: `${demand}, its source`,
        target: 'at rest',
        ...told(stall?.source?.isPaused, yesOrNo(stall?.source?.isPaused)),
      },
    ]),
  ]
}

/** The most that the process took with all tunnels: before the busy ones worked, or after. */
export function crowdOctets({ memory, busy }: HoldReport): number {
  return Math.max(memory?.withOctets ?? 0, busy?.octets ?? 0)
}

function inMib(octets: number | undefined): number | undefined {
  return octets === undefined ? undefined : octets / MIB
}

function yesOrNo(answer: boolean | undefined): string {
  return answer === true ? 'yes' : 'no'
}

function told(isMet: boolean | undefined, found: string): Pick<Verdict, 'found' | 'met'> {
  return isMet === undefined ? {} : { found, met: isMet ? 'met' : 'not met' }
}

export function atLeast(demand: string, least: number, found: Estimate | undefined): Verdict {
  const target = `at least ${least}`
  return found === undefined ? { demand, target } : { demand, target, ...judged(found, value => value >= least) }
}

function judged(found: Estimate, reaches: (value: number) => boolean): Pick<Verdict, 'found' | 'met'> {
  const met = reaches(found.median) ? 'met' : 'not met'
  const isSure = reaches(found.low) === reaches(found.high)
  return { found: estimateText(found), met: isSure ? met : `${met}, within chance` }
}

export function atMost(demand: string, most: number, found: Estimate | number | undefined): Verdict {
  const target = `at most ${most.toLocaleString('en')}`
  if (found === undefined) return { demand, target }
  if (typeof found !== 'number') return { demand, target, ...judged(found, value => value <= most) }
  return { demand, target, ...told(found <= most, shown(found)) }
}

function shown(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 0 })
}

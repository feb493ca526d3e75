/** Random policies and questions from one seed, small enough in their words that rules and questions often meet. */
import { parseIp } from '@socksmith/protocol'
import { METHODS, PROTOCOLS, COMMANDS, type Facts, type Geo } from '../src/facts.ts'
import { parseHostPattern } from '../src/host-pattern.ts'
import type { Surroundings } from '../src/diff.ts'
import { INSIDE, type Network, containsNetwork, parseNetwork } from '../src/network.ts'
import type { Condition, Policy, Rule, Test, WordFact } from '../src/policy.ts'
import { parseSchedule } from '../src/schedule.ts'

/** Mulberry32: numbers from 0 to 1, the same for the same seed. */
export function chanceFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const NETWORKS = [
  '0.0.0.0/0',
  '10.0.0.0/8',
  '10.1.0.0/16',
  '10.1.2.3',
  '192.0.2.0/24',
  '203.0.113.0/25',
  '::/0',
  'fd00::/8',
].concat([
  '2001:db8::/32',
  '2001:db8:1::/48',
  '2001:db8:1::5',
  '2002::/16',
  '8.8.0.0/16',
  '8.8.8.8',
  '9.0.0.0/8',
  '2600::/12',
])
const ADDRESSES = [
  '10.1.2.3',
  '10.1.9.9',
  '10.200.0.1',
  '192.0.2.9',
  '8.8.8.8',
  '8.8.4.4',
  '9.9.9.9',
  '203.0.113.200',
  '127.0.0.1',
]
  .concat([
    '2001:db8:1::5',
    '2600::1',
    'fd00::1',
    '::ffff:10.1.2.3',
    '64:ff9b::8.8.8.8',
    '64:ff9b::10.1.2.3',
    '2002:808:808::1',
  ])
  .concat([
    '2002:a01:203::1',
    '2001::f7f7:f7f7',
    '::1',
    '255.255.255.255',
    '0.0.0.1',
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  ])
const PATTERNS = [
  'a.example',
  '.example',
  '*.example',
  'b.a.example',
  '.a.example',
  '*.a.example',
  'other.test',
].concat(['.x.example', '*.x.a.example'])
const NAMES = [
  'a.example',
  'example',
  'b.a.example',
  'c.b.a.example',
  'B.A.example.',
  'other.test',
  'xexample',
  'test',
].concat(['x.example', 'c.x.example', 'x.a.example'])
const USERS = ['alice', 'bob', 'carol']
const LISTENERS = ['one', 'two']
const COUNTRIES = ['DE', 'AT']
const NUMBERS = ['64496', '64497']
/** Half of the questions are of the minutes at which something begins or ends. */
const MINUTES = ['07:59', '08:00', '17:59', '18:00', '18:05', '18:09', '18:10', '20:59', '21:00', '00:55', '01:04'].map(
  text => Number(text.slice(0, 2)) * 60 + Number(text.slice(3)),
)
const PORTS = [0, 22, 80, 443, 8080, 65_535]
const SCHEDULES = [
  'Mon-Fri 08:00-18:00',
  'Sat,Sun',
  '22:00-06:00 Europe/Berlin',
  '2026-03-01..2026-03-31',
  '..2026-03-29 UTC',
  '18:05-18:10',
  'Sun 01:55-03:05 Europe/Berlin',
]

const WORDS: { readonly [K in WordFact]: readonly string[] } = {
  listener: LISTENERS,
  user: USERS,
  method: METHODS,
  protocol: PROTOCOLS,
  command: COMMANDS,
  country: COUNTRIES,
  asn: NUMBERS,
}

/** Some addresses of the test have a place, the same in every run. */
export const GEO: Geo = ({ octets }) => {
  const sum = octets.reduce((a, b) => a + b, 0)
  return sum % 3 === 0
    ? {}
    : { country: COUNTRIES[sum % 2] as string, ...(sum % 5 > 0 && { asn: NUMBERS[sum % 2] as string }) }
}

function network(text: string): Network {
  return parseNetwork(text) as Network
}

export class RandomPolicies {
  readonly #chance: () => number

  constructor(seed: number) {
    this.#chance = chanceFrom(seed)
  }

  policy(rulesMax: number): Policy {
    const rules = Array.from({ length: this.#below(rulesMax + 1) }, (_, index) => this.#rule(index + 1))
    return { mode: this.#chance() < 0.1 ? 'report' : 'enforce', rules, sets: [], limits: [], cases: [] }
  }

  /** What a server opens and refuses. */
  surroundings(): Surroundings {
    const some = (): readonly Network[] => this.#many(() => network(this.#one(NETWORKS)))
    return {
      inside: { ...(this.#chance() < 0.5 && { from: some() }), ...(this.#chance() < 0.5 && { open: some() }) },
      setting: {
        ...(this.#chance() < 0.3 && { commandsOff: this.#many(() => this.#one(COMMANDS)) }),
        ...(this.#chance() < 0.2 && { blockedWays: ['direct'] }),
      },
    }
  }

  /** A question; half of them leave some facts open, unless all are asked for. */
  facts(areAll = false): Facts {
    const part = !areAll && this.#chance() < 0.5
    const maybe = <T>(value: T): T | undefined => (part && this.#chance() < 0.4 ? undefined : value)
    const address = (): NonNullable<Facts['address']> => parseIp(this.#one(ADDRESSES)) as NonNullable<Facts['address']>
    return {
      nowMs: Date.UTC(2026, 2, 27 + this.#below(5)) + this.#minute() * 60_000,
      client: this.#chance() < 0.1 ? 'unix' : address(),
      listener: this.#one(LISTENERS),
      protocol: maybe(this.#one(PROTOCOLS)),
      method: maybe(this.#one(METHODS)),
      user: maybe(this.#chance() < 0.2 ? null : this.#one([...USERS, 'dave'])),
      command: maybe(this.#one(COMMANDS)),
      host: maybe(this.#chance() < 0.3 ? null : this.#one(NAMES)),
      address: maybe(address()),
      port: maybe(this.#one(PORTS)),
    }
  }

  #rule(number: number): Rule {
    const base = {
      number,
      place: { file: 'random', line: number },
      condition: this.#condition(0),
      text: '',
      mode: this.#chance() < 0.15 ? ('report' as const) : ('enforce' as const),
    }
    if (this.#chance() < 0.5) return { ...base, verdict: 'deny', reply: 'not_allowed' }
    const redirect = this.#chance() < 0.1 ? { redirect: { address: { type: 'domain', name: 'x' } as const } } : {}
    return { ...base, verdict: 'allow', via: 'direct', limits: [], ...redirect }
  }

  #condition(depth: number): Condition {
    const roll = this.#chance()
    if (roll < 0.03) return { kind: 'everything' }
    if (depth >= 3 || roll < 0.4) return this.#test()
    const parts = (): readonly Condition[] => this.#many(() => this.#condition(depth + 1))
    if (roll < 0.75) return { kind: 'all', of: parts() }
    return roll < 0.88 ? { kind: 'any', of: parts() } : { kind: 'not', of: this.#condition(depth + 1) }
  }

  #test(): Test {
    const kind = this.#one(['client', 'address', 'address', 'host', 'host', 'port', 'when', ...Object.keys(WORDS)])
    switch (kind) {
      case 'client':
      case 'address': {
        const networks = this.#many(() => network(this.#one(NETWORKS)))
        const inside = networks.every(one => INSIDE.some(outer => containsNetwork(outer, one)))
        return { kind, networks, unix: kind === 'client' && this.#chance() < 0.3, inside, text: kind }
      }
      case 'host':
        return { kind, names: this.#many(() => parseHostPattern(this.#one(PATTERNS)) as never), text: kind }
      case 'port': {
        const first = this.#one(PORTS)
        return {
          kind,
          ranges: [
            [first, Math.min(65_535, first + this.#below(400))],
            [22, 22],
          ],
          text: kind,
        }
      }
      case 'when':
        return { kind, schedules: this.#many(() => parseSchedule(this.#one(SCHEDULES), 'UTC') as never), text: kind }
      default:
        return {
          kind: kind as WordFact,
          words: new Set(this.#many(() => this.#one(WORDS[kind as WordFact]))),
          text: kind,
        }
    }
  }

  #minute(): number {
    return this.#chance() < 0.5 ? this.#one(MINUTES) : this.#below(1_440)
  }

  #below(limit: number): number {
    return Math.floor(this.#chance() * limit)
  }

  #one<T>(of: readonly T[]): T {
    return of[this.#below(of.length)] as T
  }

  #many<T>(make: () => T): readonly T[] {
    return Array.from({ length: 1 + this.#below(3) }, make)
  }
}

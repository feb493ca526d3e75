/**
 * How long one decision takes, with 10,000 rules and 1,000 users, for questions that are decided early, late and by no
 * rule at all. Prints nanoseconds; asserts nothing. Run it with `npm run bench:policy`.
 */
import { parseIp } from '@socksmith/protocol'
import { type Facts, compile } from '../src/index.ts'
import { readPolicy } from '../src/read/read-policy.ts'
import { readFlags } from '../../../scripts/flags.ts'

readFlags('npm run bench:policy', {})

const RULES = 10_000
const USERS = 1_000
const ROUNDS = 200_000
/** Other programs on the machine only ever make a turn slower. */
const TURNS = 20

const octet = (index: number): number => index & 0xff

/** Every kind of match, spread over the rules, as a large organisation's file would have them. */
function rule(index: number): object {
  const user = `user${index % USERS}`
  const network = `${11 + (index % 90)}.${octet(index >> 4)}.${octet(index)}.0/24`
  switch (index % 6) {
    case 0:
      return { allow: { user, to: network, port: [443, 8_000 + (index % 1_000)] } }
    case 1:
      return { allow: { user, to: `.host${index}.example`, command: 'connect' } }
    case 2:
      return { deny: { to: [network, `bad${index}.example`], from: `10.${octet(index >> 8)}.0.0/16` } }
    case 3:
      return { allow: { group: `group${index % 50}`, to: `2001:db8:${(index & 0xffff).toString(16)}::/48` } }
    case 4:
      return { allow: { user, to: network, not: { port: [22, 25] }, when: 'Mon-Sun 00:00-24:00' } }
    default:
      return {
        allow: { any: [{ user, method: 'password' }, { from: `10.0.${octet(index)}.0/24` }], to: `*.n${index}.test` },
      }
  }
}

const groups = Object.fromEntries(
  Array.from({ length: 50 }, (_, group) => [
    `group${group}`,
    Array.from({ length: USERS / 50 }, (_, member) => `user${group + member * 50}`),
  ]),
)
const startMs = performance.now()
const read = readPolicy(
  { groups, rules: Array.from({ length: RULES }, (_, index) => rule(index)) },
  { file: 'bench', lineOf: () => 1, readText: () => ({ fault: 'there is none' }) },
)
if (!read.ok) throw new Error(JSON.stringify(read.problems.slice(0, 3)))
const readMs = performance.now() - startMs
const decider = compile(read.policy)
const heap = process.memoryUsage()
print(
  `${RULES} rules, ${USERS} users: read in ${readMs.toFixed(0)} ms, compiled in ${(performance.now() - startMs - readMs).toFixed(0)} ms`,
)
print(`memory of the process: ${(heap.rss / 1_048_576).toFixed(0)} MiB`)

const QUESTIONS: Readonly<Record<string, (index: number) => Partial<Facts>>> = {
  'allowed by a name rule': index => {
    const which = (index % 1_600) * 6 + 1
    return { user: `user${which % USERS}`, host: `www.host${which}.example`, address: ip('93.184.216.34') }
  },
  'allowed by a network rule': index => {
    const which = (index % 1_600) * 6
    const address = ip(`${11 + (which % 90)}.${octet(which >> 4)}.${octet(which)}.7`)
    return { user: `user${which % USERS}`, host: null, address }
  },
  'allowed by an IPv6 rule': index => {
    const which = (index % 1_600) * 6 + 3
    return { user: `user${which % 50}`, host: null, address: ip(`2001:db8:${which.toString(16)}::7`) }
  },
  'no rule matches': index => ({
    user: `user${index % USERS}`,
    host: 'www.nowhere.example',
    address: ip('151.101.1.7'),
  }),
  'a name, before it is resolved': index => ({
    user: `user${index % USERS}`,
    host: `www.host${index % RULES}.example`,
  }),
  'a client, before it has spoken': () => ({
    protocol: undefined,
    method: undefined,
    user: undefined,
    command: undefined,
    host: undefined,
    port: undefined,
  }),
}

function ip(text: string): NonNullable<Facts['address']> {
  return parseIp(text) as NonNullable<Facts['address']>
}

for (const [name, question] of Object.entries(QUESTIONS)) {
  const facts = Array.from({ length: 5_000 }, (_, index): Facts => ({
    nowMs: 1_795_000_000_000,
    client: ip(`10.${octet(index >> 8)}.7.${octet(index)}`),
    listener: '0.0.0.0:1080',
    protocol: 'socks5',
    method: 'password',
    user: null,
    command: 'connect',
    host: null,
    port: 443,
    ...question(index),
  }))
  for (let i = 0; i < ROUNDS / 4; i++) decider.decide(facts[i % facts.length] as Facts)
  const verdicts: Record<string, number> = {}
  const turns: number[] = []
  for (let turn = 0; turn < TURNS; turn++) {
    const from = process.hrtime.bigint()
    for (let i = 0; i < ROUNDS / TURNS; i++) {
      const { verdict } = decider.decide(facts[i % facts.length] as Facts)
      verdicts[verdict] = (verdicts[verdict] ?? 0) + 1
    }
    turns.push((Number(process.hrtime.bigint() - from) / ROUNDS) * TURNS)
  }
  turns.sort((a, b) => a - b)
  const [best = 0, median = 0] = [turns[0], turns[TURNS >> 1]]
  print(
    `${name.padEnd(32)} ${best.toFixed(0).padStart(6)} ns at best, ${median.toFixed(0).padStart(6)} ns median  ${JSON.stringify(verdicts)}`,
  )
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

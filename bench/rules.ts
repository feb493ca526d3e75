/** A policy of a size that nobody writes by hand: what rules and counting cost when they are on. */

/** The last one of them allows what the benchmark does; every other one has to be passed by. */
const RULES = 1_000

/** As JSON, which is YAML too. */
export function policyOfManyRules(): string {
  const rules = Array.from({ length: RULES - 1 }, (_, index) => ruleOf(index))
  const limits = {
    'each-client': { per: 'client', sessions: 20_000, 'new-sessions': '100000/s' },
    tunnels: { per: ['user', 'rule'], sessions: 20_000 },
  }
  const last = {
    name: 'the benchmark',
    allow: { to: '127.0.0.0/8' },
    limits: ['each-client', 'tunnels'],
    note: 'counted',
  }
  return JSON.stringify({ limits, rules: [...rules, last] })
}

function ruleOf(index: number): object {
  const [high, low] = [index >> 8, index & 0xff]
  switch (index % 5) {
    case 0:
      return { deny: { to: `host-${index}.example` } }
    case 1:
      return { deny: { to: `10.${high}.${low}.0/24` }, reply: 'host-unreachable' }
    case 2:
      return { allow: { user: `user-${index}`, to: `.department-${index}.example`, port: [80, 443] } }
    case 3:
      return { deny: { from: `192.168.${low}.0/24`, port: `${10_000 + index}-${10_010 + index}` } }
    default:
      return { allow: { from: `172.16.${low}.0/24`, command: 'udp-associate', not: { to: `*.example-${index}.net` } } }
  }
}

/** Diff of two policies: each change that it must see, however it came about, and each pair of rules by itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Difference, type Policy, type Surroundings, diff, parseNetwork } from '../src/index.ts'
import { policyOf } from './policy-text.ts'

/** No round number: an example is of this moment where no rule asks for the time. */
const NOW = Date.UTC(2026, 10, 18, 12, 3, 4, 5)

function differencesOf(before: Policy, after: Policy): readonly Difference[] {
  const { differences, isComplete } = diff(before, after, NOW)
  assert.ok(isComplete)
  return differences
}

/** Who is concerned: `gains bob`. */
function usersOf(before: object, after: object): readonly string[] {
  return differencesOf(policyOf(before), policyOf(after)).map(({ kind, example }) => `${kind} ${example.facts.user}`)
}

test('requests that go from one rule to another are told by each pair of rules, once, by the first example', () => {
  const [old, young] = [['1-2', 3], [4]].map(ports => policyOf({ rules: ports.map(port => ({ allow: { port } })) }))
  const told = differencesOf(old ?? assert.fail(), young ?? assert.fail()).map(({ kind, before, after, example }) => [
    kind,
    before.verdict !== 'open' && before.rule?.number,
    after.verdict !== 'open' && after.rule?.number,
    example.facts.port,
  ])
  assert.deepEqual(told, [
    ['loses', 1, undefined, 1],
    ['loses', 2, undefined, 3],
    ['gains', undefined, 1, 4],
  ])
})

test('what is not looked at by any rule is in the example as in most requests', () => {
  const [difference] = differencesOf(policyOf({ rules: [{ allow: { user: 'a' } }] }), policyOf({}))
  const { facts, place } = difference?.example ?? assert.fail()
  const { client, address, ...plain } = facts
  assert.deepEqual(plain, {
    nowMs: NOW,
    listener: '',
    protocol: 'socks5',
    method: 'none',
    user: 'somebody',
    command: 'connect',
    host: 'elsewhere.test',
    port: 443,
  })
  assert.equal(client, address)
  assert.deepEqual(place, {})
})

function allowingNear(network: string): Policy {
  return policyOf({ sets: { near: [network] }, rules: [{ allow: { to: '$near' } }] })
}

test('who comes into a group or a set that a rule names gains, and who goes loses', () => {
  const rules = [{ allow: { group: 'staff' } }]
  assert.deepEqual(usersOf({ groups: { staff: ['alice'] }, rules }, { groups: { staff: ['alice', 'bob'] }, rules }), [
    'gains bob',
  ])
  assert.deepEqual(usersOf({ groups: { staff: ['alice', 'bob'] }, rules }, { groups: { staff: ['bob'] }, rules }), [
    'loses alice',
  ])
  const moved = differencesOf(allowingNear('8.8.8.0/24'), allowingNear('9.9.9.0/24')).map(({ kind, example }) => [
    kind,
    example.facts.address?.octets.join('.'),
  ])
  assert.deepEqual(moved, [
    ['loses', '8.8.8.128'],
    ['gains', '9.9.9.128'],
  ])
})

function goingBy(defaultWay: string | undefined, ...rules: readonly object[]): Policy {
  return policyOf({ rules }, {}, { ...(defaultWay !== undefined && { defaultWay }) })
}

function kindsOf(before: Policy, after: Policy): readonly string[] {
  return differencesOf(before, after).map(({ kind }) => kind)
}

test('of a wide network, what is not inside is looked at', () => {
  // Its first and its last address are inside, and so is the one in the middle.
  const nobody = policyOf({ rules: [{ deny: 'everything' }] })
  assert.deepEqual(kindsOf(nobody, allowingNear('192.0.0.0/2')), ['gains'])
  // What its first rule leaves of the other begins outside only.
  const rest = policyOf({ rules: [{ deny: { to: '172.0.0.0/13' } }, { allow: { to: '172.0.0.0/11' } }] })
  assert.deepEqual(kindsOf(nobody, rest), ['gains'])
})

test('another way out of what names none is a change, unless the rule says the same by itself', () => {
  const allow = { allow: { port: 443 } }
  assert.deepEqual(kindsOf(goingBy(undefined, allow), goingBy('tor', allow)), ['changes'])
  assert.deepEqual(kindsOf(goingBy('tor', allow), goingBy('tor', allow)), [])
  assert.deepEqual(kindsOf(goingBy(undefined), goingBy('tor')), ['changes'])
  assert.deepEqual(kindsOf(goingBy('tor', { ...allow, via: 'direct' }), goingBy(undefined, allow)), [])
  assert.deepEqual(kindsOf(goingBy('direct', { deny: 'everything' }), goingBy('tor', { deny: 'everything' })), [])
})

const own = (of: object, sessions: number): object => ({ own: { per: 'all', sessions, of } })

test('limits that apply by themselves are compared by what they apply to and how much they leave', () => {
  const rules = [{ name: 'staff', allow: { user: 'alice' } }, { deny: { user: 'mallory' } }, { allow: { user: 'bob' } }]
  for (const [of, user] of [
    [{ user: 'alice' }, 'alice'],
    [{ rule: 'staff' }, 'alice'],
    [{ user: 'bob' }, 'bob'],
  ] as const) {
    assert.deepEqual(usersOf({ limits: own(of, 9), rules }, { limits: own(of, 8), rules }), [`changes ${user}`])
    assert.deepEqual(usersOf({ limits: own(of, 9), rules }, { limits: own(of, 9), rules }), [])
    assert.deepEqual(usersOf({ limits: own(of, 9), rules }, { rules }), [`changes ${user}`])
    assert.deepEqual(usersOf({ rules }, { limits: own(of, 9), rules }), [`changes ${user}`])
  }
  const limited = policyOf({ limits: own({ user: 'alice' }, 9), rules })
  const [gained] = differencesOf(policyOf({ rules: [{ deny: 'everything' }] }), limited)
  assert.deepEqual([gained?.limitsBefore, gained?.limitsAfter.map(({ name }) => name)], [[], ['own']])
  // What nobody may do has no limit.
  assert.deepEqual(usersOf({ limits: own({ user: 'mallory' }, 9), rules }, { rules }), [])
})

test('a limit whose condition is many alternatives within alternatives is seen', () => {
  const either = { any: [{ port: 1 }, { port: 2 }] }
  const of = { user: 'alice', all: Array.from({ length: 11 }, () => either) }
  const rules = [{ allow: 'everything' }]
  assert.deepEqual(usersOf({ rules }, { limits: own(of, 9), rules }), ['changes alice'])
})

function allowingUsers(count: number): Policy {
  return policyOf({ rules: Array.from({ length: count }, (_, at) => ({ allow: { user: `u${at}`, port: at } })) })
}

test('that there were too many kinds of requests to look at each is told', () => {
  assert.equal(diff(allowingUsers(3), allowingUsers(4), NOW).isComplete, true)
  const { differences, isComplete } = diff(allowingUsers(400), allowingUsers(401), NOW)
  assert.equal(isComplete, false)
  assert.deepEqual(
    differences.map(({ kind, example: { facts } }) => [kind, facts.user, facts.port]),
    [['gains', 'u400', 400]],
  )
})

const OPEN = policyOf({ rules: [{ allow: { port: 80 }, via: 'x' }, { allow: 'everything' }] })

/** Of the same policy in other surroundings, by the rule that allows it: `gains 2: connect to 10.128.0.0`. */
function movedIn(before: Surroundings, after: Surroundings, policy: Policy = OPEN): readonly string[] {
  const { differences, isComplete } = diff(policy, policy, NOW, before, after)
  assert.ok(isComplete)
  return differences.map(({ kind, before, after, example: { facts } }) => {
    const allowed = kind === 'loses' ? before : after
    const number = allowed.verdict === 'open' ? '' : allowed.rule?.number
    return `${kind} ${number}: ${facts.command} to ${facts.address?.octets.join('.')}`
  })
}

test('inside addresses that are opened are gained, and those that are closed are lost', () => {
  const open = [parseNetwork('10.0.0.0/8') ?? assert.fail()]
  const [one, two] = ['1: connect to 10.128.0.0', '2: connect to 10.128.0.0']
  assert.deepEqual(movedIn({}, { inside: { open } }).toSorted(), [`gains ${one}`, `gains ${two}`])
  assert.deepEqual(movedIn({ inside: { open } }, {}).toSorted(), [`loses ${one}`, `loses ${two}`])
  assert.deepEqual(movedIn({ inside: { open } }, { inside: { open } }), [])
  const everywhere = [parseNetwork('0.0.0.0/0') ?? assert.fail()]
  assert.equal(movedIn({}, { inside: { open: everywhere } }).length, 2)
})

test('clients for whom the inside is opened gain it, and those for whom it is closed lose it', () => {
  const from = [parseNetwork('8.8.0.0/16') ?? assert.fail()]
  const { differences } = diff(OPEN, OPEN, NOW, {}, { inside: { from } })
  const told = differences.map(({ kind, example: { facts } }) => {
    return `${kind} ${facts.client === 'unix' ? 'unix' : facts.client.octets.join('.')}`
  })
  // Instead of those on this host.
  assert.deepEqual([...new Set(told)].toSorted(), ['gains 8.8.128.0', 'loses 127.128.0.0'])
})

test('who is near loses what is inside, where a rule denies it that stays closed to all others', () => {
  const denying = policyOf({ rules: [{ deny: { to: '10.0.0.0/8' } }, { allow: 'everything' }] })
  const [lost, ...others] = differencesOf(policyOf({ rules: [{ allow: 'everything' }] }), denying)
  const { client } = lost?.example.facts ?? assert.fail()
  assert.deepEqual([lost?.kind, client !== 'unix' && client.octets[0], others.length], ['loses', 127, 0])
})

test('a command that is switched off is lost, whatever the rules say', () => {
  const bindOff = { setting: { commandsOff: ['bind'] } } as const
  assert.deepEqual(movedIn({}, bindOff), ['loses 2: bind to 93.184.216.34', 'loses 1: bind to 93.184.216.34'])
  const noneBut = { setting: { commandsOff: ['bind', 'bind-peer', 'udp-associate', 'udp-sender'] } } as const
  assert.deepEqual(movedIn({}, noneBut).toSorted(), [
    'loses 1: bind to 93.184.216.34',
    'loses 1: udp-associate to 93.184.216.34',
    'loses 2: bind to 93.184.216.34',
    'loses 2: udp-associate to 93.184.216.34',
  ])
  const [gained] = diff(OPEN, OPEN, NOW, bindOff, {}).differences
  assert.deepEqual([gained?.kind, gained?.before.cause, gained?.after.cause], ['gains', 'server', 'rule'])
  const connecting = policyOf({ rules: [{ allow: { command: 'connect' } }] })
  assert.deepEqual(movedIn({}, bindOff, connecting), [])
})

test('a way that leads elsewhere is a change, one that leads nowhere is a loss, and a name is no difference', () => {
  const [straight, far] = ['direct', 'far'].map(way => ({ ways: new Map([['x', way]]) }))
  const nowhere = { setting: { blockedWays: ['x'] } }
  assert.ok(straight && far)
  assert.deepEqual(movedIn(straight, far), ['changes 1: connect to 93.184.216.34'])
  assert.deepEqual(movedIn(straight, nowhere), ['loses 1: connect to 93.184.216.34'])
  assert.deepEqual(movedIn(nowhere, straight), ['gains 1: connect to 93.184.216.34'])
  assert.deepEqual(movedIn(nowhere, nowhere), [])
  const [lost] = diff(OPEN, OPEN, NOW, straight, nowhere).differences
  assert.deepEqual([lost?.before.cause, lost?.after.cause, lost?.isOtherWay], ['rule', 'server', false])
  const renamed = policyOf({ rules: [{ allow: { port: 80 }, via: 'y' }, { allow: 'everything' }] })
  assert.deepEqual(diff(OPEN, renamed, NOW, far, { ways: new Map([['y', 'far']]) }).differences, [])
  const usual = { ways: new Map([['default', 'far']]) }
  assert.deepEqual(movedIn({}, usual), ['changes 2: connect to 93.184.216.34'])
  assert.deepEqual(movedIn({}, nowhere), ['loses 1: connect to 93.184.216.34'])
})

test('that a change is one of the way is told, whatever else it is', () => {
  const few = { limits: { few: { sessions: 3, per: 'user' } } }
  const [first, second] = [
    { allow: 'everything', via: 'x' },
    { allow: 'everything', via: 'y', limits: ['few'] },
  ]
  const bounded = { allow: 'everything', via: 'x', limits: ['few'] }
  const isOther = (before: object, after: object): readonly (boolean | string)[] => {
    const policies = [before, after].map(rule => policyOf({ ...few, rules: [rule] }))
    return differencesOf(policies[0] ?? OPEN, policies[1] ?? OPEN).map(one => one.kind === 'changes' && one.isOtherWay)
  }
  assert.deepEqual(isOther(first, second), [true])
  assert.deepEqual(isOther(first, bounded), [false])
  assert.deepEqual(isOther(bounded, second), [true])
  const allowed = differencesOf(policyOf({ rules: [{ deny: 'everything' }] }), policyOf({ rules: [first] }))
  assert.deepEqual([allowed[0]?.kind, allowed[0]?.isOtherWay], ['gains', false])
})

function sendingTo(redirect: string | undefined): Policy {
  return policyOf({ rules: [{ allow: { to: '::/0', command: 'connect' }, ...(redirect && { redirect }) }] })
}

test('another place to which a rule sends is a change, and what it opened inside is lost with it', () => {
  assert.deepEqual(kindsOf(sendingTo('a.example'), sendingTo('b.example')), ['changes'])
  // The unspecified address, which nobody reaches, does not stand for what is inside.
  assert.deepEqual(kindsOf(sendingTo('a.example'), sendingTo(undefined)).toSorted(), ['changes', 'loses'])
})

test('a Unix socket is near, also where nobody else is', () => {
  const [open, denying] = [[], [{ deny: { to: '10.0.0.0/8' } }]].map(rules =>
    policyOf({ rules: [...rules, { allow: 'everything' }] }),
  )
  assert.ok(open && denying)
  const [lost, ...others] = diff(open, denying, NOW, { inside: { from: [] } }).differences
  assert.deepEqual([lost?.kind, lost?.example.facts.client, others.length], ['loses', 'unix', 0])
})

test('who may go nowhere only loses nothing when he is denied', () => {
  assert.deepEqual(kindsOf(goingBy('direct', { allow: 'everything', via: 'block' }), goingBy('direct')), ['gains'])
  const mail = { port: 25, command: 'connect' }
  const denied = { deny: mail }
  const [nowhere, open] = [{ allow: mail, via: 'block' }, { allow: 'everything' }]
  assert.deepEqual(kindsOf(goingBy('direct', nowhere, open), goingBy('direct', denied, open)), [])
  assert.deepEqual(kindsOf(goingBy('direct', open), goingBy('direct', nowhere, open)), ['loses'])
  // Whoever connects to a BIND is heard, by whatever way.
  const [heard, unheard] = [{ allow: 'everything', via: 'block' }, { deny: 'everything' }]
  const [lost] = diff(goingBy('direct', heard), goingBy('direct', unheard), NOW).differences
  assert.deepEqual([lost?.kind, lost?.example.facts.command], ['loses', 'bind-peer'])
})

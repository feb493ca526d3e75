import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Finished, run, temporaryFolder } from '../run-command.ts'

const POLICY = `sets:
  ads: { file: ads.txt }
rules:
  - deny: { to: $ads }
    reply: host-unreachable
  - name: staff
    allow: { user: [alice, bob], to: .example, port: 443 }
  - allow: { user: alice, port: 22 }
    via: tor
    limits: slow
limits:
  slow: { per: user, bandwidth: 1Mbit/s }
  busy: { of: { user: bob }, per: [user, client], sessions: 4 }
cases:
  - deny: { user: alice, to: 'www.ads.test:443' }
  - allow: { user: bob, to: 'git.example:443', resolves: 93.184.216.34 }
    rule: staff
`

interface Folder {
  readonly path: string
  run(...args: readonly string[]): Promise<Finished>
  write(name: string, text: string): Promise<void>
}

async function folderWith(t: TestContext, files: Readonly<Record<string, string>>): Promise<Folder> {
  const path = await temporaryFolder(t)
  const write = (name: string, text: string): Promise<void> => writeFile(join(path, name), text)
  for (const [name, text] of Object.entries(files)) await write(name, text)
  return { path, write, run: (...args) => run(['policy', ...args], { cwd: path }) }
}

const usual = (t: TestContext): Promise<Folder> => folderWith(t, { 'policy.yaml': POLICY, 'ads.txt': '.ads.test\n' })

test('explain says which rule decides, and why no rule before it matched', async t => {
  const folder = await usual(t)
  const denied = await folder.run('explain', '--from', '192.0.2.7', '--user', 'bob', 'CONNECT', 'git.example:22')
  assert.equal(denied.code, 1)
  assert.match(
    denied.stdout,
    /^denied: no rule matches\n {2}bob \(password\) from 192\.0\.2\.7, socks5 connect git\.example:22/,
  )
  assert.match(denied.stdout, /1 policy\.yaml:4 {2}deny to \$ads\n {8}no: not to \$ads \(git\.example/)
  assert.match(denied.stdout, /2 policy\.yaml:6 .*\n {8}no: not port 443 \(port 22\)/)
  assert.match(denied.stdout, /3 policy\.yaml:8 .*\n {8}no: not user alice \(user bob\)/)
  const allowed = await folder.run('explain', '--user', 'alice', 'connect', '93.184.216.34:22')
  assert.equal(allowed.code, 0)
  assert.match(
    allowed.stdout,
    /^allowed: rule 3, policy\.yaml:8\n[^]*via: tor\n {2}limit slow \(policy\.yaml:12\): 1Mbit\/s each way; per user\n/,
  )
  const blocked = await folder.run('explain', '--user', 'alice', 'CONNECT', 'x.ads.test:443')
  assert.match(blocked.stdout, /reply: host-unreachable/)
})

test('explain answers in JSON, with every rule that was asked', async t => {
  const folder = await usual(t)
  const { stdout } = await folder.run(
    'explain',
    '--json',
    '--user',
    'bob',
    '--resolves',
    '93.184.216.34',
    'CONNECT',
    'git.example:443',
  )
  const answer = JSON.parse(stdout) as Record<string, unknown>
  assert.equal(answer['verdict'], 'allow')
  assert.deepEqual(answer['decision'], {
    verdict: 'allow',
    cause: 'rule',
    rule: { number: 2, name: 'staff', file: 'policy.yaml', line: 6 },
    via: 'direct',
    limits: [],
  })
  assert.deepEqual(
    (answer['asked'] as { moment: string; rules: unknown[] }[]).map(one => [one.moment, one.rules.length]),
    [
      ['name', 2],
      ['address', 2],
    ],
  )
})

test('test runs the cases, and names the one that fails', async t => {
  const folder = await usual(t)
  const good = await folder.run('test')
  assert.deepEqual([good.code, good.stdout], [0, 'all 2 cases are as expected\n'])
  await folder.write('policy.yaml', POLICY.replace('rule: staff', 'rule: other'))
  const bad = await folder.run('test', 'policy.yaml')
  assert.equal(bad.code, 1)
  assert.match(
    bad.stdout,
    /^FAILED policy\.yaml:16 bob .*\n {4}expected rule other, but it is decided by rule 2 \(staff\)/,
  )
})

test('lint has an exit code for problems, and none for hints', async t => {
  const folder = await usual(t)
  const hints = await folder.run('lint')
  assert.equal(hints.code, 0)
  assert.match(hints.stdout, /^policy\.yaml:4: hint: rule 1 denies names only/)
  await folder.write('ads.txt', '# nobody\n')
  const { code, stdout } = await folder.run('lint', '--json')
  assert.equal(code, 1)
  const { findings } = JSON.parse(stdout) as { findings: { kind: string }[] }
  assert.deepEqual(
    findings.map(one => one.kind),
    ['empty-set', 'never-matches'],
  )
})

test('diff says who gains and who loses', async t => {
  const folder = await usual(t)
  await folder.write('new.yaml', POLICY.replace('[alice, bob]', '[alice, carol]'))
  const { code, stdout } = await folder.run('diff', 'policy.yaml', 'new.yaml')
  assert.equal(code, 1)
  assert.match(
    stdout,
    /loses: bob .*port 443\n {4}before: allow, rule 2 \(staff\), policy\.yaml:6\n {4}after: {2}deny, no rule matches/,
  )
  assert.match(stdout, /gains: carol .*port 443/)
  const same = await folder.run('diff', 'policy.yaml', 'policy.yaml')
  assert.deepEqual([same.code, same.stdout], [0, 'nobody gains or loses anything\n'])
})

const CONFIG = `listen: ['127.0.0.1:0']
ways: { x: 'socks5h://alice:secret@a.example:1080', y: { chain: [x] } }
policy:
  rules:
    - allow: { port: 80 }
      via: y
    - allow: everything
`

test('diff of configurations says what access and ways change, and shows no password', async t => {
  const folder = await folderWith(t, { 'old.yaml': CONFIG })
  const diffTo = async (text: string): Promise<string> => {
    await folder.write('new.yaml', text)
    const { code, stdout } = await folder.run('diff', 'old.yaml', 'new.yaml')
    assert.equal(code, stdout.startsWith('nobody') ? 0 : 1)
    assert.doesNotMatch(stdout, /secret|hunter2/)
    return stdout
  }
  assert.equal(await diffTo(CONFIG), 'nobody gains or loses anything\n')
  assert.match(
    await diffTo(`${CONFIG}access: { inside-open: [10.0.0.0/8] }\n`),
    /^gains: .* at 10\.128\.0\.0 port 443\n/,
  )
  const served = await diffTo(`${CONFIG}access: { commands: [connect] }\n`)
  assert.match(await diffTo(`${CONFIG}access: { commands: [] }\n`), /: the command [a-z-]+ is switched off\n/)
  assert.match(
    served,
    /^loses: .* socks5 bind .*\n.*\n {4}after: {2}deny, the server itself: the command bind is switched off\n/,
  )
  assert.match(
    served,
    /\nloses: .* socks5 udp-associate .*\n.*\n {4}after: .*: the command udp-associate is switched off\n/,
  )
  assert.match(
    await diffTo(CONFIG.replace("'socks5h://alice:secret@a.example:1080', y: { chain: [x] }", 'direct, y: block')),
    /^loses: .* port 80\n {4}before: .*\n {4}after: {2}deny, the server itself: the way y is blocked; rule 1, new\.yaml:5\n$/,
  )
  assert.match(
    await diffTo(CONFIG.replace('a.example', 'b.example')),
    /^changes: .*\n.*\n *via: y \(socks5h:\/\/a\.[^]*via: y \(socks5h:\/\/b\./,
  )
  const otherwise = await diffTo(CONFIG.replace('secret', 'hunter2'))
  assert.match(otherwise, /^changes: [^]* via: y \(socks5h:\/\/a\.example:1080\), but defined otherwise\n/)
  // The same by another name, as a link too.
  assert.equal(
    await diffTo(CONFIG.replace('ways: { x:', 'ways: { z:').replace('[x]', '[z]')),
    'nobody gains or loses anything\n',
  )
  // What nothing says by which way it goes.
  assert.match(await diffTo(`${CONFIG}outgoing: [192.0.2.7]\n`), /^changes: .* port 443\n/)
})

test('a policy of its own is compared as one that takes the place of that in the configuration', async t => {
  const open = `${CONFIG}access: { inside-open: [10.0.0.0/8] }\n`
  const folder = await folderWith(t, {
    'socksmith.yaml': open,
    'policy.yaml': 'rules:\n  - allow: { port: 80 }\n    via: y\n  - allow: everything\n',
  })
  for (const files of [
    ['socksmith.yaml', 'policy.yaml'],
    ['policy.yaml', 'socksmith.yaml'],
  ])
    assert.equal((await folder.run('diff', ...files)).stdout, 'nobody gains or loses anything\n')
})

test('replay says which sessions of a log would be decided otherwise', async t => {
  const folder = await usual(t)
  const session = {
    time: '2026-11-18T12:00:00.000Z',
    client: '192.0.2.7:5000',
    listener: '127.0.0.1:1080',
    user: 'bob',
    method: 'password',
    protocol: 'socks5',
    command: 'connect',
    end: 'target-finished',
  }
  const log = [
    { ...session, target: 'git.example:443', dialled: '93.184.216.34:443' },
    { ...session, target: 'git.example:80', dialled: '93.184.216.34:80' },
  ]
  await folder.write('log', log.map(one => `${JSON.stringify(one)}\n`).join(''))
  const { code, stdout } = await folder.run('replay', 'log', 'policy.yaml')
  assert.equal(code, 1)
  assert.equal(
    stdout,
    'log:2: bob from 192.0.2.7 connect git.example:80: was allowed, now denied by no rule matches\n2 sessions, 1 decided otherwise\n',
  )
})

test('a mistake is shown in its line, with the word that was meant', async t => {
  const folder = await folderWith(t, { 'policy.yaml': 'rules:\n  - alow: everything\n  - allow: { usr: alice }\n' })
  const { code, stderr } = await folder.run('test')
  assert.equal(code, 65)
  assert.match(stderr, /policy\.yaml:2:5: unknown key "alow"; did you mean "allow"\?/)
  assert.match(stderr, /policy\.yaml:3:14: unknown key "usr"; did you mean "user"\?\n {2}2 \|/)
})

test('a policy inside a configuration is found, and its sets beside it', async t => {
  const config = `policy:\n  sets: { ads: { file: ads.txt } }\n  rules:\n    - deny: { to: $ads }\n    - allow: { from: 10.0.0.0/8, to: $inside }\naccess:\n  inside-open: [192.168.0.0/16]\n`
  const folder = await folderWith(t, { 'socksmith.yaml': config, 'ads.txt': 'ads.test\n' })
  const { stdout } = await folder.run('explain', '--from', '10.0.0.1', 'CONNECT', '10.9.9.9:80')
  assert.match(stdout, /^allowed: rule 2, socksmith\.yaml:5/)
})

/** Two users, of whom bob is disabled; nobody logs in here, so that the hash needs to be none of a password. */
const HASH = `$argon2id$v=19$m=19456,t=2,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`
const USERS = `alice:${HASH}\nbob:!${HASH}\n`
const SERVER = `listen: ['127.0.0.1:34567', { address: '127.0.0.1:34568', name: office }]
access: { commands: [connect] }
users: { file: users.txt, template: '{user}-session-{session}' }
dns: { hosts: { there.test: 93.184.216.34 } }
ways: { nowhere: block, own: { dns: { hosts: { own.test: 93.184.216.35 } } } }
policy:
  rules:
    - allow: { to: own.test }
      via: own
    - allow: { user: alice, port: 25 }
      via: nowhere
    - deny: { to: 10.0.0.0/8 }
    - allow: everything
  cases:
    - deny: { user: alice, to: '9.9.9.9:25' }
    - deny: { to: '127.0.0.1:34567' }
    - deny: { command: bind, to: '9.9.9.9:5' }
`

test('explain and test answer as the server of the configuration, and say what it refuses by itself', async t => {
  const folder = await folderWith(t, { 'socksmith.yaml': SERVER, 'users.txt': USERS })
  for (const [args, code, says] of [
    [['--user', 'alice', 'CONNECT', '9.9.9.9:25'], 1, /^denied: the server itself: the way nowhere is blocked; rule 2/],
    [['CONNECT', '127.0.0.1:34568'], 1, /^denied: the server itself: this is one of the server's own listeners\n/],
    [['CONNECT', '0.0.0.0:80'], 1, /^denied: the server itself: this is the unspecified address\n/],
    [['BIND', '9.9.9.9:5'], 1, /the command bind is switched off\n[^]*reply: command-not-supported/],
    [['CONNECT', 'there.test:80'], 0, /the address 93\.184\.216\.34:/],
    [['CONNECT', 'own.test:80'], 0, /the address 93\.184\.216\.35:[^]*via: own/],
    [['--user', 'alice-session-7', 'CONNECT', '9.9.9.9:25'], 1, /rule 2, [^]*\n {2}alice \(password\)/],
    [['--user', 'bob', 'CONNECT', '9.9.9.9:80'], 0, /\n {2}but bob is disabled in .*users\.txt, and cannot log in/],
    [['--user', 'carol', 'CONNECT', '9.9.9.9:80'], 0, /\n {2}but carol is no user in /],
    [['--user', 'bob', '--method', 'certificate', 'CONNECT', '9.9.9.9:80'], 0, /limits: none\n$/],
  ] as const) {
    const told = await folder.run('explain', ...args)
    assert.match(told.stdout, says, args.join(' '))
    assert.equal(told.code, code, args.join(' '))
  }
  assert.deepEqual(await folder.run('test'), { code: 0, stdout: 'all 3 cases are as expected\n', stderr: '' })
  const { stdout } = await folder.run('explain', '--json', '--user', 'bob', 'CONNECT', '0.0.0.0:80')
  const { decision, warning } = JSON.parse(stdout) as { decision: object; warning: string }
  const detail = 'this is the unspecified address'
  assert.deepEqual(decision, { verdict: 'deny', cause: 'server', reply: 'not-allowed', detail })
  assert.match(warning, /^bob is disabled/)
})

test('words of a question are checked as those of a rule', async t => {
  const folder = await folderWith(t, { 'socksmith.yaml': SERVER, 'users.txt': USERS })
  for (const [args, says] of [
    [
      ['--listener', 'ofice'],
      /--listener: expected 127\.0\.0\.1:34567 or office; "ofice" is none; did you mean "office"/,
    ],
    [['--country', 'Germany'], /--country: expected countries of two letters/],
    [['--asn', 'ASxx'], /--asn: expected numbers of autonomous systems/],
  ] as const) {
    const { code, stderr } = await folder.run('explain', ...args, 'CONNECT', '9.9.9.9:80')
    assert.equal(code, 64)
    assert.match(stderr, says)
  }
  assert.equal((await folder.run('explain', '--listener', 'office', 'CONNECT', '9.9.9.9:80')).code, 0)
})

test('what cannot be understood on the command line is told', async t => {
  const folder = await usual(t)
  const cases = [
    [['explain', 'CONECT', 'a.example:1'], /did you mean "connect"/],
    [['explain', 'CONNECT', 'a.example'], /the target: expected HOST:PORT/],
    [['explain', '--from', 'home', 'CONNECT', 'a.example:1'], /--from: expected an address/],
    [['explain', '--method', 'pasword', 'CONNECT', 'a.example:1'], /did you mean "password"/],
  ] as const
  for (const [args, says] of cases) {
    const { code, stderr } = await folder.run(...args)
    assert.equal(code, 64)
    assert.match(stderr, says)
  }
  assert.equal((await folder.run('test', 'missing.yaml')).code, 66)
})

/** What is remembered over the end of a server, and what becomes of a file that cannot be used. */
import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { type Ban, openSharedLedger } from '@socksmith/server'
import { LiveState } from '../../src/state/live-state.ts'
import { openStateFile } from '../../src/state/state-file.ts'
import { temporaryFolder } from '../run-command.ts'

const BAN: Ban = { subject: { kind: 'user', user: 'alice' }, sinceMs: 1, by: 'operator', reason: "it's 'so'" }
const PASSED: Ban = { subject: { kind: 'network', network: '192.0.2.7/32' }, sinceMs: 2, untilMs: 1_000, by: 'login' }
const LATE: Ban = {
  ...PASSED,
  subject: { kind: 'login', client: '192.0.2.7', user: 'bob' },
  untilMs: 9_000_000_000_000,
}
const OCTETS = { key: '00'.repeat(16), up: 3_000_000_000, down: 2 ** 45, periodEndMs: 9_000_000_000_000 }

const fileFor = async (t: TestContext): Promise<string> => join(await temporaryFolder(t), 'state.db')

test('what was written is read again, without what has passed', async t => {
  const path = await fileFor(t)
  const before = openStateFile(path)
  before.saveBans([BAN, PASSED, LATE])
  before.saveOctets([OCTETS, { ...OCTETS, key: 'ff'.repeat(16), periodEndMs: 1_000 }])
  before.close()
  assert.equal((await stat(path)).mode & 0o077, 0, 'nobody else may read it')
  const after = openStateFile(path)
  assert.deepEqual(after.load(1_000), { octets: [OCTETS], bans: [BAN, LATE] })
  after.removeBans(['user alice'])
  after.prune(1_000)
  assert.deepEqual(after.load(0), { octets: [OCTETS], bans: [LATE] })
  after.close()
})

test('a file of a newer program is left as it is', async t => {
  const path = await fileFor(t)
  const database = new DatabaseSync(path)
  database.exec('PRAGMA user_version = 99')
  database.close()
  assert.throws(() => openStateFile(path), /newer socksmith \(version 99\)/)
})

interface Told {
  readonly state: LiveState
  readonly notices: string[]
}

function live(file: string): Told {
  const notices: string[] = []
  const notice = (message: string): void => void notices.push(message)
  return { state: new LiveState({ file, threads: 1, connectionsMax: 10, notice }), notices }
}

test('counted octets and bans go on in the next life of a server', async t => {
  const path = await fileFor(t)
  const key = Int32Array.of(1, -2, 3, -4)
  const first = live(path)
  const ledger = openSharedLedger(first.state.accounts, 0)
  const entered = ledger.enter(key, 1)
  assert.ok('account' in entered)
  ledger.countOctets(entered.account, true, 9_000_000_000_000, 70, () => 100)
  await first.state.add(BAN)
  await first.state.add(LATE)
  assert.equal(await first.state.remove('user alice'), true)
  assert.equal(await first.state.remove('user alice'), false)
  first.state.close()
  const second = live(path)
  assert.deepEqual(second.state.bans, [LATE])
  const again = openSharedLedger(second.state.accounts, 0)
  const found = again.enter(key, 1)
  assert.ok('account' in found)
  assert.equal(again.octets(found.account, 9_000_000_000_000).up, 70)
  second.state.close()
  assert.deepEqual([first.notices, second.notices], [[], []])
})

test('what a person has banned is not taken back by failed logins, in the file neither', async t => {
  const path = await fileFor(t)
  const first = live(path)
  await first.state.add(BAN)
  assert.equal(await first.state.add({ ...LATE, subject: BAN.subject }), 0)
  assert.deepEqual(first.state.bans, [BAN])
  first.state.close()
  const second = live(path)
  assert.deepEqual(second.state.bans, [BAN])
  second.state.close()
})

test('a file that cannot be used is told, left as it is, and stops nobody', async t => {
  const path = await fileFor(t)
  await writeFile(path, 'this is no database, but somebody may need it'.repeat(100))
  const { state, notices } = live(path)
  await state.add(BAN)
  assert.deepEqual(state.bans, [BAN])
  state.close()
  assert.match(notices.join('\n'), /^cannot use the state file .*not a database; octets and bans are not kept/)
  assert.match(await readFile(path, 'utf8'), /^this is no database/)
  const missing = live(join(path, 'below', 'state.db'))
  assert.match(missing.notices.join('\n'), /cannot use the state file/)
  missing.state.close()
})

test('a file that cannot be written for a while is written when it can be again', async t => {
  const path = await fileFor(t)
  const { state, notices } = live(path)
  // Somebody holds the file, as a full disk would: nothing can be written.
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  await state.add(BAN)
  assert.match(notices.join('\n'), /^cannot write the state file .*locked.*tried again$/)
  await state.add(LATE)
  assert.equal(notices.length, 1, 'told once')
  other.exec('ROLLBACK')
  other.close()
  state.close()
  assert.equal(notices[1], 'the state file can be written again')
  const after = live(path)
  assert.deepEqual(after.state.bans, [BAN, LATE])
  after.state.close()
})

/** Names that answer with a public address first and a private one later, with real addresses, name server and client. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { userInfo } from 'node:os'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { needProgram, runProgram } from './program.ts'

const INSIDE = fileURLToPath(new URL('rebinding-inside.ts', import.meta.url))

test('a rebinding name server reaches nothing that the rules forbid', async t => {
  if (!needProgram(t, 'curl', 'curl') || !needProgram(t, 'ip', 'iproute2')) return
  const apart = userInfo().uid === 0 ? '-n' : '-rn'
  const pair = 'ip link add near type veth peer name far'
  if (spawnSync('unshare', [apart, 'sh', '-c', pair]).status !== 0) {
    t.skip('this user may not make a network of his own, in which public addresses are on this machine')
    return
  }
  const args = [apart, process.execPath, '--conditions=@socksmith/source', '--test-reporter=spec', INSIDE]
  // With the variable it would take itself for a part of this run, and say nothing.
  const { code, stdout, stderr } = await runProgram(t, 'unshare', args, { env: { NODE_TEST_CONTEXT: undefined } })
  assert.equal(code, 0, stdout + stderr)
  assert.match(stdout, /pass 2/)
})

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { cpuSeconds, isRunning, pssOctets } from '../../src/bench/process-tree.ts'

const skip = process.platform === 'linux' ? false : 'it reads /proc'

test('processor time and memory are those of the process and its children', { skip }, async t => {
  const [cpuAlone, memoryAlone] = [cpuSeconds([process.pid]), pssOctets([process.pid])]
  assert.ok(memoryAlone !== undefined && memoryAlone > 2 ** 20)
  // It spins for a tenth of a second of its own time, tells so, and waits to be ended.
  const script = `
    while (process.cpuUsage().user < 100_000);
    console.log('done')
    process.stdin.resume()`
  const child = spawn(process.execPath, ['--eval', script])
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  assert.ok(cpuSeconds([process.pid]) - cpuAlone >= 0.08)
  assert.ok(cpuSeconds([child.pid ?? 0]) >= 0.08)
  const memory = pssOctets([child.pid ?? 0])
  assert.ok(memory !== undefined && memory > 2 ** 20)
  assert.ok((pssOctets([process.pid]) ?? 0) > memory)
})

test('a process that is no more uses nothing', { skip }, async () => {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  await once(child, 'close')
  const pid = child.pid ?? 0
  assert.equal(isRunning(pid), false)
  assert.equal(cpuSeconds([pid]), 0)
  assert.equal(pssOctets([pid]), 0)
  assert.equal(isRunning(process.pid), true)
})

/** Runs on a disk of 256 KiB, in the folder that is its argument (see full-disk.test.ts). Writes what it saw as JSON. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Ban } from '@socksmith/server'
import { LiveState } from '../../src/state/live-state.ts'

const folder = process.argv[2] ?? ''
const file = join(folder, 'state.db')
const notices: string[] = []
const open = (): LiveState =>
  new LiveState({ file, threads: 1, connectionsMax: 10, notice: message => void notices.push(message) })
const banOf = (user: string): Ban => ({ subject: { kind: 'user', user }, sinceMs: 1, by: 'operator' })

const state = open()
await state.add(banOf('before'))
const filler = join(folder, 'filler')
fillDisk(filler)
// Longer than what SQLite has taken of the disk already.
const long = 'x'.repeat(65_536)
await state.add({ ...banOf('meanwhile'), reason: long })
const meanwhile = [...notices]
rmSync(filler)
await state.add(banOf('afterwards'))
state.close()
const kept = open()
process.stdout.write(JSON.stringify({ meanwhile, notices, kept: kept.bans.map(({ subject }) => subject) }))
kept.close()

function fillDisk(path: string): void {
  try {
    for (let octets = 1; ; octets *= 2) writeFileSync(path, Buffer.alloc(octets), { flag: 'a' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

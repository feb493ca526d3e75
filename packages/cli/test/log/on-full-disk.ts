/** Runs on a disk of 16 KiB, in the folder that is its argument (see log-sink.test.ts). Writes what it saw as JSON. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openFileSink } from '../../src/log/log-sink.ts'

const folder = process.argv[2] ?? ''
const [path, filler] = [join(folder, 'log'), join(folder, 'filler')]
writeFileSync(filler, Buffer.alloc(4_096))
const sink = await openFileSink(path)
const line = `${'x'.repeat(99)}\n`
const taken = [await sink.write(Buffer.from(line.repeat(200))), await sink.write(Buffer.from(line.repeat(100)))]
rmSync(filler)
taken.push(await sink.write(Buffer.from('there is room again\n')))
await sink.close()
process.stdout.write(JSON.stringify({ taken, text: readFileSync(path, 'utf8') }))

/** Paths for Unix sockets that are gone when the tests are done. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

let directory: string | undefined
let count = 0

/** A path at which there is nothing yet. */
export function temporaryPath(): string {
  directory ??= mkdtempSync(join(tmpdir(), 'socksmith-'))
  return join(directory, `${count++}.sock`)
}

after(() => directory && rmSync(directory, { recursive: true }))

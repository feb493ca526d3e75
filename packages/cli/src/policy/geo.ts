/** Where addresses are registered, from MaxMind DB files. */
import { readFile } from 'node:fs/promises'
import { type Geo, type Mmdb, fieldOf, openMmdb } from '@socksmith/policy'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'

/** Opens the files; of several that know an address, the first that says a thing is believed. */
export async function openGeo(files: readonly string[]): Promise<Outcome<Geo>> {
  const databases: Mmdb[] = []
  for (const file of files) {
    try {
      const database = openMmdb(await readFile(file))
      if (database === undefined) return trouble(EXIT.DATA, `${file} is not a MaxMind DB file`)
      databases.push(database)
    } catch (error) {
      return trouble(EXIT.NO_INPUT, `cannot read ${file}: ${fileErrorText(error)}`)
    }
  }
  return done(address => {
    let country: string | undefined
    let asn: string | undefined
    for (const database of databases) {
      const record = database.lookup(address)
      country ??= textOf(fieldOf(fieldOf(record, 'country'), 'iso_code'))
      asn ??= textOf(fieldOf(record, 'autonomous_system_number'))
    }
    return { ...(country !== undefined && { country }), ...(asn !== undefined && { asn }) }
  })
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}

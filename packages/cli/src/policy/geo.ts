/** Where addresses are registered, from MaxMind DB files. */
import { readFile } from 'node:fs/promises'
import { type Geo, fieldOf, openMmdb } from '@socksmith/policy'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'

/** Reads the files into memory that threads may share. */
export async function readGeoFiles(files: readonly string[]): Promise<Outcome<readonly Uint8Array[]>> {
  const databases: Uint8Array[] = []
  for (const file of files) {
    try {
      const octets = shared(await readFile(file))
      if (openMmdb(octets) === undefined) return trouble(EXIT.DATA, `${file} is not a MaxMind DB file`)
      databases.push(octets)
    } catch (error) {
      return trouble(EXIT.NO_INPUT, `cannot read ${file}: ${fileErrorText(error)}`)
    }
  }
  return done(databases)
}

/** The look-up in these databases; of several that know an address, the first that says a thing is believed. */
export function geoOf(files: readonly Uint8Array[]): Geo {
  const databases = files.flatMap(octets => openMmdb(octets) ?? [])
  return address => {
    let country: string | undefined
    let asn: string | undefined
    for (const database of databases) {
      const record = database.lookup(address)
      country ??= textOf(fieldOf(fieldOf(record, 'country'), 'iso_code'))
      asn ??= textOf(fieldOf(record, 'autonomous_system_number'))
    }
    return { ...(country !== undefined && { country }), ...(asn !== undefined && { asn }) }
  }
}

function shared(octets: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(octets.length))
  copy.set(octets)
  return copy
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}

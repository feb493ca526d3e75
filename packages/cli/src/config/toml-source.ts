/**
 * TOML with positions. The parser gives none for values, so they are found again by looking for table headers and keys,
 * which is exact for one key a line; what stands inside an inline table is placed at the line's key.
 */
import { TomlError, parse } from 'smol-toml'
import type { Path, Position } from './problem.ts'
import type { Parsed } from './read-file.ts'

export function readToml(text: string): Parsed {
  try {
    const value: unknown = parse(text)
    const places = findPlaces(text)
    return { ok: true, value, locate: ({ path }) => nearestPlace(places, path) }
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const message = (error.message.split('\n')[0] ?? '').replace('Invalid TOML document: ', '')
    return {
      ok: false,
      message: `not valid TOML: ${message}`,
      position: { line: error.line, column: error.column, length: 1 },
    }
  }
}

function nearestPlace(places: ReadonlyMap<string, Position>, path: Path): Position {
  for (let depth = path.length; depth > 0; depth--) {
    const place = places.get(path.slice(0, depth).join('\0'))
    if (place !== undefined) return place
  }
  return { line: 1, column: 1, length: 1 }
}

function findPlaces(text: string): ReadonlyMap<string, Position> {
  const places = new Map<string, Position>()
  const counts = new Map<string, number>()
  let table: Path = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const header = /^(\s*)(\[\[?)\s*([^\]#]+?)\s*\]\]?/.exec(line)
    const key = /^(\s*)((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/.exec(line)
    const [, indent = '', second = '', name = ''] = header ?? key ?? []
    const column = indent.length + 1
    if (header !== null) {
      table = tablePath(keyParts(name), second === '[[', counts)
      note(places, [], table, { line: index + 1, column, length: second.length * 2 + name.length })
    } else if (key !== null) {
      note(places, table, keyParts(second), { line: index + 1, column, length: second.length })
    }
  }
  return places
}

/** The path of a table, with the index of each array of tables on the way. */
function tablePath(parts: readonly string[], isArray: boolean, counts: Map<string, number>): Path {
  const path: (string | number)[] = []
  for (const [index, part] of parts.entries()) {
    path.push(part)
    const key = path.join('\0')
    if (isArray && index === parts.length - 1) counts.set(key, (counts.get(key) ?? -1) + 1)
    const count = counts.get(key)
    if (count !== undefined) path.push(count)
  }
  return path
}

/** Remembers a place for the path and for every part of it that has none yet. */
function note(places: Map<string, Position>, base: Path, rest: Path, position: Position): void {
  for (let depth = 1; depth <= rest.length; depth++) {
    const key = [...base, ...rest.slice(0, depth)].join('\0')
    if (!places.has(key)) places.set(key, position)
  }
}

function keyParts(text: string): readonly string[] {
  return (text.match(/[\w-]+|"[^"]*"|'[^']*'/g) ?? []).map(part => part.replace(/^["']|["']$/g, ''))
}

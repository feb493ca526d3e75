/** YAML with positions. Knows nothing of what the words mean. */
import { type Document, LineCounter, type Node, isMap, isScalar, parseDocument } from 'yaml'
import type { Path, Position } from './problem.ts'
import type { Parsed } from './read-file.ts'

/** Parses one YAML document, and writes to no log. Duplicate keys, unknown tags and a second document are errors. */
export function readYaml(text: string): Parsed {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    strict: true,
    uniqueKeys: true,
    logLevel: 'error',
  })
  const fault = document.errors[0] ?? document.warnings[0]
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0])
    return { ok: false, message: `not valid YAML: ${fault.message}`, position: { line, column: col, length: 1 } }
  }
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    // Only an alias that leads nowhere, or too many of them, comes here.
    return {
      ok: false,
      message: `not valid YAML: ${(error as Error).message}`,
      position: { line: 1, column: 1, length: 1 },
    }
  }
  return { ok: true, value, locate: ({ path, at }) => positionOf(document, lines, path, at === 'key') }
}

function positionOf(document: Document.Parsed, lines: LineCounter, path: Path, ofKey: boolean): Position {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = nodeAt(document, path.slice(0, depth), ofKey && depth === path.length)
    if (node?.range) return stretch(node, lines)
  }
  return { line: 1, column: 1, length: 1 }
}

function nodeAt(document: Document.Parsed, path: Path, asKey: boolean): Node | undefined {
  if (!asKey) return document.getIn(path, true) as Node | undefined
  const parent = document.getIn(path.slice(0, -1), true)
  if (!isMap(parent)) return undefined
  const pair = parent.items.find(item => isScalar(item.key) && String(item.key.value) === String(path.at(-1)))
  return pair?.key as Node | undefined
}

function stretch(node: Node, lines: LineCounter): Position {
  const [start, end] = node.range as [number, number, number]
  const { line, col } = lines.linePos(start)
  const length = isScalar(node) && lines.linePos(end).line === line ? Math.max(1, end - start) : 1
  return { line, column: col, length }
}

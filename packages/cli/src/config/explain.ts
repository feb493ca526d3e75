/** Shows a problem in a configuration file to a person: file, line, column, what was expected, and the lines around it. */
import { withoutLogins } from '../reach/via.ts'
import type { Position, Problem } from './problem.ts'
import type { ConfigSource } from './read-file.ts'

// A file that is wrong from top to bottom is told by its first problems.
const PROBLEMS_MAX = 10
// Wider lines are cut, so that the mark stays under its word on a usual terminal.
const FRAME_COLUMNS_MAX = 110

/** One text for all problems of a file, in the order of the file. */
export function explainProblems(source: ConfigSource, problems: readonly Problem[]): string {
  const placed = problems
    .map(problem => ({ text: sentence(problem), position: source.locate(problem) }))
    .sort((a, b) => a.position.line - b.position.line || a.position.column - b.position.column)
  const shown = placed.slice(0, PROBLEMS_MAX).map(one => explainAt(source, one.position, one.text))
  const rest = placed.length - shown.length
  return [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n\n')
}

/** One message at one place of a file, with a code frame. */
export function explainAt(
  source: { readonly path: string; readonly text: string },
  position: Position,
  message: string,
): string {
  return `${source.path}:${position.line}:${position.column}: ${message}\n${codeFrame(source.text, position)}`
}

/** What is wrong, and the word that was probably meant. */
export function sentence(problem: Problem): string {
  return problem.suggestion === undefined
    ? problem.message
    : `${problem.message}; did you mean "${problem.suggestion}"?`
}

function codeFrame(text: string, position: Position): string {
  const lines = text.split(/\r?\n/)
  const width = String(position.line).length
  const show = (line: number): string => `  ${String(line).padStart(width)} | ${shown(lines[line - 1] ?? '')}`.trimEnd()
  const mark = `  ${' '.repeat(width)} | ${' '.repeat(Math.min(position.column, FRAME_COLUMNS_MAX) - 1)}${'^'.repeat(position.length)}`
  const before = position.line > 1 ? [show(position.line - 1)] : []
  return [...before, show(position.line), mark].join('\n')
}

// The line of a proxy may hold a password, which is nobody's business on a screen.
function shown(line: string): string {
  return withoutLogins(line.replaceAll('\t', ' ')).slice(0, FRAME_COLUMNS_MAX)
}

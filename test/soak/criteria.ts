/** What must hold, and what was measured: the worst of all times counts. Knows no server. */

/** Numbers only, so that the worst can be told: `0 failures` rather than `no failure`. */
export interface Bound {
  readonly atMost?: number
  readonly atLeast?: number
  /** `ms`, `MiB` and the like. */
  readonly unit?: string
}

export interface Criterion extends Bound {
  /** Of the table of docs/reliability.md: `R-07`. */
  readonly row: string
  readonly what: string
  readonly worst: number
  readonly times: number
  readonly ok: boolean
}

export class Criteria {
  readonly #all = new Map<string, Criterion>()

  /** Notes a figure of a row. Without a bound it is told and cannot fail. */
  note(row: string, what: string, figure: number, bound: Bound = {}): void {
    const before = this.#all.get(`${row} ${what}`)
    const ok = figure <= (bound.atMost ?? Infinity) && figure >= (bound.atLeast ?? -Infinity) && !Number.isNaN(figure)
    const pick = bound.atLeast === undefined ? Math.max : Math.min
    const worst = before === undefined || Number.isNaN(figure) ? figure : pick(before.worst, figure)
    const all = { ok: ok && before?.ok !== false, times: (before?.times ?? 0) + 1 }
    this.#all.set(`${row} ${what}`, { row, what, ...bound, worst, ...all })
  }

  get all(): readonly Criterion[] {
    return [...this.#all.values()].toSorted((a, b) => a.row.localeCompare(b.row))
  }

  get failed(): number {
    return failedOf(this.all)
  }
}

/** How many did not hold. */
export function failedOf(criteria: readonly Criterion[]): number {
  return criteria.filter(({ ok }) => !ok).length
}

/** Whether a soak is a success: figures of the server alone show nothing of the faults. */
export function isShown(played: number, criteria: readonly Criterion[]): boolean {
  return played > 0 && criteria.every(({ ok }) => ok)
}

/** A table that one can read, also in a Markdown page. */
export function criteriaTable(criteria: readonly Criterion[]): string {
  const head = ['row', 'what', 'worst', 'limit', 'times', '']
  const rows = criteria.map(one => [
    one.row,
    one.what,
    figureText(one.worst, one.unit),
    limitText(one),
    String(one.times),
    one.ok ? 'ok' : 'FAILED',
  ])
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map(row => (row[column] ?? '').length)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map(width => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

/** `at most 20 ms`; nothing for a figure that is only told. */
export function limitText({ atMost, atLeast, unit }: Bound): string {
  if (atMost !== undefined) return `at most ${figureText(atMost, unit)}`
  return atLeast === undefined ? '' : `at least ${figureText(atLeast, unit)}`
}

/** With its unit, to three digits. */
export function figureText(figure: number, unit = ''): string {
  const number = Number.isInteger(figure) ? String(figure) : figure.toPrecision(3)
  return unit === '' ? number : `${number} ${unit}`
}

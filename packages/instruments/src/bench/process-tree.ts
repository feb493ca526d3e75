/** What processes and their children use, from /proc. Linux only; a process that is gone uses nothing. */
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'

/** Seconds of processor time so far, user and system, of the processes, the children they have and those they had. */
export function cpuSeconds(roots: readonly number[]): number {
  let ticks = 0
  for (const { ticks: own } of treeOf(roots).values()) ticks += own
  return ticks / ticksPerSecond()
}

/**
 * Octets of memory (proportional set size: a page that several share is told in parts) of the processes and their
 * children; `undefined` where one of them may not be asked.
 */
export function pssOctets(roots: readonly number[]): number | undefined {
  let kib = 0
  for (const pid of treeOf(roots).keys()) {
    const text = readProc(pid, 'smaps_rollup')
    const [, pss] = /^Pss:\s+(\d+) kB$/m.exec(text ?? '') ?? []
    // A process that has just ended has no file, one of another user's cannot be read; only the first is nothing.
    if (pss === undefined && readProc(pid, 'stat') !== undefined) return undefined
    kib += Number(pss ?? 0)
  }
  return kib * 1_024
}

/** True while there is such a process. */
export function isRunning(pid: number): boolean {
  return readProc(pid, 'stat') !== undefined
}

interface Stat {
  readonly parent: number
  readonly ticks: number
}

function treeOf(roots: readonly number[]): ReadonlyMap<number, Stat> {
  const all = new Map<number, Stat>()
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : undefined
    if (stat !== undefined) all.set(Number(name), stat)
  }
  const isOurs = (pid: number): boolean => {
    for (let at = pid; at > 1; at = all.get(at)?.parent ?? 0) if (roots.includes(at)) return true
    return false
  }
  return new Map([...all].filter(([pid]) => isOurs(pid)))
}

// proc(5): the parent is field 4; utime, stime, cutime and cstime are fields 14 to 17.
function statOf(pid: number): Stat | undefined {
  const text = readProc(pid, 'stat')
  if (text === undefined) return undefined
  // The second field is the program's name, which may hold spaces and brackets.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { parent: Number(fields[1]), ticks: fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) }
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return undefined
  }
}

let ticks: number | undefined

function ticksPerSecond(): number {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return ticks
}

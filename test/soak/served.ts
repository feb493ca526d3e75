/** A `socksmith serve` of the soak, seen from outside and by its probe: what it holds, and what it said. Knows no fault. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ProxyPorts } from './client.ts'
import type { ThreadLook, ToProbe } from './probe.ts'

const LAUNCHER = fileURLToPath(new URL('../../packages/cli/bin/socksmith.js', import.meta.url))
const PROBE = new URL('probe.ts', import.meta.url).href

/** Milliseconds in which a thread must answer its probe: it may have just died. */
const LOOK_MS_MAX = 3_000
/** Where the question is whether it is there. */
const THREAD_MS_MAX = 100
/** Of standard error, the end: enough for a stack and some tables. */
const SAID_CHARACTERS_MAX = 200_000

export interface StartOptions {
  readonly env?: NodeJS.ProcessEnv
  /** A program that becomes the server when it is given its command line: `prlimit` and its flags. */
  readonly by?: readonly string[]
  /** Handed over, from descriptor 3 on. */
  readonly descriptors?: readonly number[]
}

/** What the process held at one moment. */
export interface Held {
  /** Without pipes: the Linux engine keeps up to 64 in each thread, for the next that has much to carry. */
  readonly descriptors: number
  readonly pssOctets: number
  /** Of all threads, after garbage was collected. */
  readonly heapOctets: number
  /** The worst of all threads, since the last look. */
  readonly delayP99Ms: number
  readonly delayMaxMs: number
  /** The worst of all threads, since each began. */
  readonly delayEverP99Ms: number
}

export class Served {
  readonly child: ChildProcess
  readonly ports: ProxyPorts
  readonly #workers: number
  #said = ''
  #requests = 0
  #news = Promise.withResolvers<void>()
  readonly #answers: ThreadLook[] = []

  private constructor(child: ChildProcess, workers: number) {
    this.child = child
    this.#workers = workers
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString()).slice(-SAID_CHARACTERS_MAX)
      this.#wake()
    })
    child.on('close', () => this.#wake())
    child.on('message', look => this.#answers.push(look as ThreadLook))
    this.ports = { open: 0, password: 0, strangers: 0 }
  }

  /** Starts the command with these arguments and waits until it is ready. */
  static async start(args: readonly string[], workers: number, options: StartOptions = {}): Promise<Served> {
    const { env, by = [], descriptors = [] } = options
    const [program = '', ...words] = [...by, process.execPath, '--import', PROBE, LAUNCHER, 'serve', ...args]
    const child = spawn(program, words, {
      stdio: ['ignore', 'ignore', 'pipe', ...descriptors, 'ipc'],
      env: { ...process.env, ...env },
    })
    const served = new Served(child, workers)
    const ready = await served.said(/^.*ready on.*$/m)
    const [open = 0, password = 0, strangers = 0] = [...ready.matchAll(/127\.0\.0\.1:(\d+) \(/g)].map(([, port]) =>
      Number(port),
    )
    Object.assign(served.ports, { open, password, strangers })
    return served
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** Everything on standard error, or its end. */
  get text(): string {
    return this.#said
  }

  /** The first line that fits and is said after `from` characters; rejects when the process ends before. */
  async said(wanted: RegExp, from = 0): Promise<string> {
    for (;;) {
      const found = wanted.exec(this.#said.slice(from))
      if (found !== null) return found[0]
      if (!this.isAlive) throw new Error(`the server ended, ${this.#endText}: ${this.#said}`)
      await this.#news.promise
    }
  }

  /** Live sessions, as the server counts them. */
  async sessions(): Promise<number> {
    // What is said from now on; the buffer may be cut while it waits, which the next question puts right.
    this.#said = ''
    this.child.kill('SIGUSR2')
    return Number.parseInt(await this.said(/^\d+ live sessions?$/m), 10)
  }

  get descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length
  }

  /** How many descriptors there are of each kind: `socket:`, `pipe:` and so on. */
  get descriptorKinds(): ReadonlyMap<string, number> {
    const folder = `/proc/${this.pid}/fd`
    const kinds = new Map<string, number>()
    for (const fd of readdirSync(folder)) {
      const kind = kindOf(`${folder}/${fd}`)
      if (kind === undefined) continue
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    }
    return kinds
  }

  get pssOctets(): number {
    return 1_024 * Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${this.pid}/smaps_rollup`, 'utf8'))?.[1])
  }

  /** Processor time so far, in milliseconds. */
  get cpuMs(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'latin1')
      .replace(/^.*\) /, '')
      .split(' ')
    // utime and stime are the 14th and 15th field (proc(5)); two are gone, and a tick is 10 ms.
    return 10 * (Number(fields[11]) + Number(fields[12]))
  }

  /** Thorough, it tells what a memory that runs out would come to: a load that others made meanwhile weighs nothing. */
  async look(isThorough = false): Promise<Held> {
    const looks = await this.#looks(isThorough, LOOK_MS_MAX)
    return {
      descriptors: this.descriptorKinds
        .entries()
        .reduce((sum, [kind, count]) => sum + (kind === 'pipe:' ? 0 : count), 0),
      pssOctets: this.pssOctets,
      heapOctets: looks.reduce((sum, { heapOctets }) => sum + heapOctets, 0),
      delayP99Ms: Math.max(0, ...looks.map(look => look.delayP99Ms)),
      delayMaxMs: Math.max(0, ...looks.map(look => look.delayMaxMs)),
      delayEverP99Ms: Math.max(0, ...looks.map(look => look.delayEverP99Ms)),
    }
  }

  /** How many threads there are that answer at once. */
  async threads(): Promise<number> {
    return (await this.#looks(false, THREAD_MS_MAX)).length
  }

  /** What each thread holds; without those that do not answer in time. */
  async #looks(isThorough: boolean, msMax: number): Promise<readonly ThreadLook[]> {
    const request = ++this.#requests
    this.#ask({ kind: 'look', request, isThorough })
    const deadline = Date.now() + msMax
    const mine = (): readonly ThreadLook[] => this.#answers.filter(look => look.request === request)
    while (mine().length < this.#workers + 1 && Date.now() < deadline && this.isAlive) {
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    const looks = mine()
    this.#answers.splice(0)
    return looks
  }

  /** One worker dies of an error. */
  killWorker(): void {
    this.#ask({ kind: 'die' })
  }

  /** Sets how many descriptors the process may have open from now on; false when that is not possible here. */
  limitDescriptors(soft: number): boolean {
    return spawnSync('prlimit', [`--pid=${this.pid}`, `--nofile=${soft}:`]).status === 0
  }

  /** Sends the signal and waits for the end; the exit code. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!this.isAlive) return this.child.exitCode
    const closed = once(this.child, 'close')
    this.child.kill(signal)
    await closed
    return this.child.exitCode
  }

  get #endText(): string {
    const { exitCode, signalCode } = this.child
    return signalCode === null ? `exit code ${exitCode}` : `by ${signalCode}`
  }

  #wake(): void {
    this.#news.resolve()
    this.#news = Promise.withResolvers()
  }

  #ask(message: ToProbe): void {
    if (this.child.connected) this.child.send(message)
  }
}

/** `socket:[17]` is a `socket:`; nothing for what was closed meanwhile. */
function kindOf(path: string): string | undefined {
  try {
    return readlinkSync(path).replace(/\[?\d+\]?$/, '')
  } catch {
    return undefined
  }
}

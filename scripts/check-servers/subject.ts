/** A foreign server under check: how it is started in a folder of its own, waited for, and ended. Knows no particular one. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** One way to run a server. */
export interface Setting {
  /** For the page: `no password`. */
  readonly name: string
  /** Starts it; it ends with the `stage`. */
  readonly start: (stage: Stage) => Promise<Running>
}

export interface Running {
  readonly url: string
}

export interface Subject {
  readonly name: string
  /** Debian's package, whose version the page tells. */
  readonly debianPackage: string
  /** For the page: what was configured. */
  readonly configured: string
  readonly settings: readonly Setting[]
}

/** A folder, ports and processes that are gone afterwards. */
export class Stage {
  readonly folder: string
  readonly #children: ChildProcess[] = []
  /** What the server that was started last has said. */
  #said = ''
  #onSaid: (() => unknown) | undefined
  #onEnded: ((error: unknown) => void) | undefined

  constructor(folder: string) {
    this.folder = folder
  }

  static async open(): Promise<Stage> {
    return new Stage(await mkdtemp(join(tmpdir(), 'socksmith-check-')))
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  /** Runs a program to its end; throws with what it said when it fails. */
  run(program: string, args: readonly string[], input = ''): string {
    return execFileSync(program, args, { cwd: this.folder, input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
  }

  /** Starts a server and waits until its port takes connections. */
  async serve(program: string, args: readonly string[], port: number): Promise<void> {
    const child = spawn(program, args, { cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#children.push(child)
    this.#said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (octets: Buffer) => {
        if (child !== this.#children.at(-1)) return
        this.#said = (this.#said + octets.toString()).slice(-SAID_MAX)
        this.#onSaid?.()
      })
    }
    const ended = once(child, 'close').then(() => Promise.reject(new Error(`${program} ended: ${this.#said}`)))
    await Promise.race([takesConnections(port), ended])
    // From here on its end is a failure of nothing but the wait for what another says.
    ended.catch(error => this.#onEnded?.(error))
  }

  /** Waits until the server that was started last has said it. */
  async said(wanted: RegExp, limitMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(() => reject(new Error(`it did not say ${wanted.source}: ${this.#said}`)), limitMs)
    this.#onEnded = reject
    this.#onSaid = () => wanted.test(this.#said) && resolve()
    this.#onSaid()
    await promise
    clearTimeout(timer)
  }

  async close(): Promise<void> {
    for (const child of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      await once(child, 'close')
      clearTimeout(timer)
    }
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** Characters of what a server says that are kept for an error. */
const SAID_MAX = 2_000
const START_MS = 15_000
const STOP_MS = 3_000
const RETRY_MS = 50

// Below the ports that the system gives to outgoing connections.
const PORT_FIRST = 15_000
const PORT_LAST = 32_000

/** A port of loopback that is free now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORT_FIRST + Math.floor(Math.random() * (PORT_LAST - PORT_FIRST))
    const server = createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
      await new Promise(resolve => server.close(resolve))
      return port
    } catch {
      // Taken: another one.
    }
  }
}

async function takesConnections(port: number): Promise<void> {
  const until = performance.now() + START_MS
  while (performance.now() < until) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch {
      await new Promise(resolve => setTimeout(resolve, RETRY_MS))
    } finally {
      socket.destroy()
    }
  }
  throw new Error(`nobody listens on port ${port} after ${START_MS} ms`)
}

/** The version of an installed Debian package; `undefined` when it is not installed. */
export function debianVersion(name: string): string | undefined {
  try {
    return execFileSync('dpkg-query', ['-W', '-f=${Version}', name], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  } catch {
    return undefined
  }
}

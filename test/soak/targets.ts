/** The process of the targets, from the outside. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { FromTargets, NameService, TargetPorts, ToTargets } from './target-process.ts'

const PROGRAM = new URL('target-process.ts', import.meta.url)

export class Targets {
  readonly child: ChildProcess
  readonly ports: TargetPorts

  private constructor(child: ChildProcess, ports: TargetPorts) {
    this.child = child
    this.ports = ports
  }

  static async start(): Promise<Targets> {
    const child = fork(PROGRAM, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const [told] = (await once(child, 'message')) as [Extract<FromTargets, { ports: TargetPorts }>]
    return new Targets(child, told.ports)
  }

  answerNames(names: NameService): void {
    this.#tell({ names })
  }

  /** Octets that `held` could hand to the kernel so far. */
  async sent(): Promise<number> {
    const told = once(this.child, 'message') as Promise<[{ readonly sent: number }]>
    this.#tell('sent')
    return (await told)[0].sent
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const gone = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await gone
  }

  #tell(message: ToTargets): void {
    this.child.send(message)
  }
}

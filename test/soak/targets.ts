/** The process of the targets, from the outside. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { FromTargets, NameService, TargetPorts, ToTargets } from './target-words.ts'

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

  /** From when it resolves on, names are answered so. */
  async answerNames(names: NameService): Promise<void> {
    const isSo = this.#told(told => 'names' in told && told.names === names)
    this.#tell({ names })
    await isSo
  }

  /** Octets that `held` and `measured` could hand to the kernel so far. */
  async sent(): Promise<number> {
    const told = this.#told(one => 'sent' in one)
    this.#tell('sent')
    const answer = await told
    return 'sent' in answer ? answer.sent : Number.NaN
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const gone = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await gone
  }

  #told(fits: (told: FromTargets) => boolean): Promise<FromTargets> {
    return new Promise(resolve => {
      const onMessage = (message: unknown): void => {
        if (!fits(message as FromTargets)) return
        this.child.off('message', onMessage)
        resolve(message as FromTargets)
      }
      this.child.on('message', onMessage)
    })
  }

  #tell(message: ToTargets): void {
    this.child.send(message)
  }
}

/** The process of a crowd of clients, from the outside. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { CrowdTold, ToCrowd } from './crowd-process.ts'

const PROGRAM = new URL('crowd-process.ts', import.meta.url)
const LOOK_EVERY_MS = 50

export class Crowd {
  readonly child: ChildProcess = fork(PROGRAM, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })

  /** Sets the crowd to work, and waits until all have come. */
  async start(work: Exclude<ToCrowd, { do: 'tell' | 'ask' }>): Promise<void> {
    this.child.send(work)
    while (!(await this.tell()).ready) await new Promise(resolve => setTimeout(resolve, LOOK_EVERY_MS))
  }

  async tell(): Promise<CrowdTold> {
    const told = once(this.child, 'message') as Promise<[CrowdTold]>
    this.child.send({ do: 'tell' } satisfies ToCrowd)
    return (await told)[0]
  }

  /** Every tunnel that is held says something. */
  ask(): void {
    this.child.send({ do: 'ask' } satisfies ToCrowd)
  }

  /** SIGSTOP: the kernel still takes octets for it, as far as its buffers go. */
  stop(): void {
    this.child.kill('SIGSTOP')
  }

  goOn(): void {
    this.child.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const gone = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await gone
  }
}

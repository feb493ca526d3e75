/**
 * One epoll descriptor for each thread, which Node's own loop watches: this engine is a guest of the ordinary loop, and
 * promises, timers and message ports work as always. Nothing here blocks. It exists while something is registered.
 */
import { type Failure, failure } from '@socksmith/protocol'
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_EVENT, O_CLOEXEC } from './abi.ts'
import { type DescriptorWatch, type SystemCalls, errnoName } from './system-calls.ts'

/** Events taken from the kernel at once. */
const EVENTS_MAX = 512
/** Times that the kernel is asked in one turn, before Node's own timers and sockets have theirs. */
const ROUNDS_MAX = 4

/** Who hears of a descriptor's events. */
export interface Watched {
  onEvents(events: number): void
}

/** Something that goes on later in this turn or in the next one, after the others had theirs. */
export interface Task {
  /** Set by the loop, so that nobody stands in line twice. */
  isQueued: boolean
  takeTurn(): void
}

export class EventLoop {
  readonly calls: SystemCalls
  readonly #events = Buffer.alloc(EVENTS_MAX * EPOLL_EVENT.octets)
  readonly #words = new DataView(this.#events.buffer, this.#events.byteOffset, this.#events.length)
  readonly #one = Buffer.alloc(EPOLL_EVENT.octets)
  readonly #watched: (Watched | undefined)[] = []
  // A descriptor's number is used again at once. An event carries the generation too, so that a late one is told apart.
  readonly #generations: number[] = []
  readonly #onIdle: (() => void)[] = []
  readonly #atEndOfTurn: Task[] = []
  #queue: Task[] = []
  #epoll = -1
  #watch: DescriptorWatch | undefined
  #count = 0
  #isInTurn = false
  #isTurnWanted = false

  constructor(calls: SystemCalls) {
    this.calls = calls
  }

  /** Descriptors that are registered. */
  get count(): number {
    return this.#count
  }

  /**
   * Starts to tell `watched` of the events of `fd`; or says why the kernel refuses: it is out of memory, of descriptors or of
   * watches (`fs.epoll.max_user_watches`).
   */
  register(fd: number, interest: number, watched: Watched): Failure | undefined {
    const closed = this.#epoll < 0 ? this.#open() : undefined
    if (closed !== undefined) return closed
    const generation = ((this.#generations[fd] ?? 0) + 1) & 0x7fff_ffff
    this.#generations[fd] = generation
    const one = this.#one
    one.writeUInt32LE(interest >>> 0, 0)
    one.writeInt32LE(fd, EPOLL_EVENT.data)
    one.writeInt32LE(generation, EPOLL_EVENT.data + 4)
    if (this.calls.epollCtl(this.#epoll, EPOLL_CTL_ADD, fd, one) < 0) {
      const refused = this.#refusal()
      this.#closeWhenIdle()
      return refused
    }
    this.#watched[fd] = watched
    this.#count++
    return undefined
  }

  /** Tells somebody else of the events of a registered descriptor from now on. */
  replace(fd: number, watched: Watched): void {
    this.#watched[fd] = watched
  }

  /** Stops to tell. With `remove` the descriptor stays open and is taken from the kernel's list too. */
  forget(fd: number, remove: boolean): void {
    if (this.#watched[fd] === undefined) return
    this.#watched[fd] = undefined
    if (remove) this.calls.epollCtl(this.#epoll, EPOLL_CTL_DEL, fd, this.#one)
    this.#count--
    if (this.#count === 0 && !this.#isInTurn) queueMicrotask(() => this.#closeWhenIdle())
  }

  /** Lets `task` go on after the others. */
  soon(task: Task): void {
    if (task.isQueued) return
    task.isQueued = true
    this.#queue.push(task)
    if (!this.#isInTurn) this.#wantTurn()
  }

  /** Lets `task` run once, when this turn has heard all its events; at the next one when there is none now. */
  atEndOfTurn(task: Task): void {
    if (task.isQueued) return
    task.isQueued = true
    this.#atEndOfTurn.push(task)
    if (!this.#isInTurn) this.#wantTurn()
  }

  /** Is told whenever nothing is registered any more. */
  onIdle(callback: () => void): void {
    this.#onIdle.push(callback)
  }

  /** Hears nothing any more: this thread is about to end. */
  silence(): void {
    this.#watch?.close()
    this.#watch = undefined
  }

  #open(): Failure | undefined {
    this.#epoll = this.calls.epollCreate1(O_CLOEXEC)
    if (this.#epoll < 0) return this.#refusal()
    // The watch must be held: it is collected otherwise, and silence follows.
    this.#watch = this.calls.watch(this.#epoll, this.#wantTurn)
    return undefined
  }

  #refusal(): Failure {
    const errno = errnoName(this.calls.errno())
    return { ...failure('too_busy', 'us', `the kernel watches no further descriptor (${errno})`), errno }
  }

  #closeWhenIdle(): void {
    if (this.#count > 0 || this.#epoll < 0) return
    this.#watch?.close()
    this.#watch = undefined
    this.calls.close(this.#epoll)
    this.#epoll = -1
    for (const callback of this.#onIdle) callback()
  }

  // Node runs promises and ticks after an immediate, and not after a callback of the watch.
  readonly #wantTurn = (): void => {
    if (this.#isTurnWanted) return
    this.#isTurnWanted = true
    setImmediate(this.#turn)
  }

  readonly #turn = (): void => {
    this.#isTurnWanted = false
    this.#isInTurn = true
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const count = this.#epoll < 0 ? 0 : this.calls.epollWait(this.#epoll, this.#events, EVENTS_MAX, 0)
      if (count <= 0 && this.#queue.length === 0) break
      for (let i = 0; i < count; i++) this.#dispatch(i * EPOLL_EVENT.octets)
      this.#runQueue()
      this.#runEndOfTurn()
    }
    this.#runEndOfTurn()
    this.#isInTurn = false
    if (this.#queue.length > 0) this.#wantTurn()
    if (this.#count === 0) this.#closeWhenIdle()
  }

  #runEndOfTurn(): void {
    const tasks = this.#atEndOfTurn
    if (tasks.length === 0) return
    for (let i = 0; i < tasks.length; i++) run(tasks[i] as Task)
    tasks.length = 0
  }

  #dispatch(at: number): void {
    const words = this.#words
    const fd = words.getInt32(at + EPOLL_EVENT.data, true)
    const watched = this.#watched[fd]
    if (watched === undefined || words.getInt32(at + EPOLL_EVENT.data + 4, true) !== this.#generations[fd]) return
    try {
      watched.onEvents(words.getUint32(at, true))
    } catch (error) {
      escape(error)
    }
  }

  // What is queued meanwhile has its turn in the next round.
  #runQueue(): void {
    if (this.#queue.length === 0) return
    const tasks = this.#queue
    this.#queue = []
    for (const task of tasks) run(task)
  }
}

function run(task: Task): void {
  task.isQueued = false
  try {
    task.takeTurn()
  } catch (error) {
    escape(error)
  }
}

// A fault in one handler must not lose the events of the others, which come only once; and must not be hidden.
function escape(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}

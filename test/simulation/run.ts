/** Runs the world of one seed to its end and answers what was wrong with it. */
import type { Fault } from './faults.ts'
import { checkRest } from './checks.ts'
import { makePlan } from './plan.ts'
import { Scene } from './scene.ts'
import { Physics } from './world/physics.ts'
import { Random } from './world/random.ts'

/** A world that goes on for longer than this runs in a circle; the longest that is none needs a tenth of it. */
const STEPS_MAX = 200_000

export interface WorldResult {
  /** Empty when all is well. */
  readonly violations: readonly string[]
  readonly steps: number
}

/** One world. The same seed gives the same world, to the last octet. */
export async function runWorld(seed: number, fault: Fault = {}, log?: (line: string) => void): Promise<WorldResult> {
  const physics = new Physics(seed, log)
  const plan = makePlan(physics.random)
  const { limits, clients: _, ...rest } = plan
  physics.log?.(`seed ${seed} ${JSON.stringify({ ...rest, limits })}`)
  const chance = new Random(seed)
  const systemRandom = Math.random
  Math.random = () => chance.next()
  const onRejection = (reason: unknown): void => physics.violated(`rejected: ${String(reason)}`)
  process.on('unhandledRejection', onRejection)
  try {
    const scene = new Scene(physics, plan, fault)
    const started = scene.start()
    const steps = await settle(physics, scene)
    await started
    checkRest(physics, plan, scene)
    await Promise.race([scene.server.stop({ deadlineMs: 0 }), settle(physics, scene)])
    if (scene.listenerCount !== 0) physics.violated(`${scene.listenerCount} listeners are not given back`)
    return { violations: physics.violations, steps }
  } finally {
    Math.random = systemRandom
    process.off('unhandledRejection', onRejection)
  }
}

/** Lets everything happen that will. After each event, promises that it settled run before the next one. */
function settle(physics: Physics, scene: Scene): Promise<number> {
  const { time } = physics
  return new Promise(resolve => {
    let steps = 0
    let isQuiet = false
    const turn = (): void => {
      // What promises had to do about the last event is done.
      watchTimers(physics, scene)
      let hasStepped = false
      try {
        hasStepped = time.step()
      } catch (error) {
        physics.violated(`thrown: ${error instanceof Error ? String(error.stack) : String(error)}`)
      }
      if (hasStepped) {
        steps++
        isQuiet = false
      } else if (isQuiet) return resolve(steps)
      else isQuiet = true
      if (steps < STEPS_MAX) return void setImmediate(turn)
      physics.violated('it does not come to rest')
      resolve(steps)
    }
    setImmediate(turn)
  })
}

/** Two idle wheels may tick on for one step after the last session. */
const TIMERS_AT_REST_MAX = 2

// At the end of the world every timer has fired. One that was forgotten shows while nobody needs one.
function watchTimers(physics: Physics, scene: Scene): void {
  const { serverTimers } = physics.time
  if (scene.server.sessionCount > 0 || scene.lookups > 0 || scene.engine.dials > 0) return
  if (serverTimers > TIMERS_AT_REST_MAX) physics.violated(`${serverTimers} timers, and no session`)
}

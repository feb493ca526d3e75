/** The engine that the server is tested on: the portable one, or the one that `on-linux-engine.test.ts` asks for. */
import { type Clock, type Engine, createNodeEngine, systemClock } from '@socksmith/engine'

let make: (clock: Clock) => Engine = createNodeEngine

/** Lets every engine made from now on come from `maker`. */
export function useEngine(maker: (clock: Clock) => Engine): void {
  make = maker
}

export function createEngine(clock: Clock = systemClock): Engine {
  return make(clock)
}

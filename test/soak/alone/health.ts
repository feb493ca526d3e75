/** "Healthy after" of the plan: what a server has to be again when the fault is over. */
import { REST_MS_MAX, nobodyLeft } from '../rest.ts'
import type { Held } from '../served.ts'
import { times, wait } from '../stage.ts'
import { type Note, type Stand, openMs } from './trial.ts'

/** Tunnels before anything is measured: what a program makes once, and keeps. */
const WARM_UP_TUNNELS = 500
const CONNECT_MS_MAX = 100
const DESCRIPTORS_MAX = 5
/** Or a tenth; for the heap of each thread. */
const HEAP_OCTETS_MAX = 8 * 1_048_576
const LOOKS_MAX = 5
const LOOK_EVERY_MS = 1_000

export async function warmUp({ served }: Stand, echo: number): Promise<Held> {
  await times(WARM_UP_TUNNELS, 32, () => openMs(served.ports, echo))
  await nobodyLeft(served)
  return served.look()
}

export async function noteHealth(
  { served }: Stand,
  echo: number,
  threads: number,
  before: Held,
  note: Note,
): Promise<void> {
  note('time until no session is left', await nobodyLeft(served), { atMost: REST_MS_MAX, unit: 'ms' })
  note('time of a new tunnel', await openMs(served.ports, echo), { atMost: CONNECT_MS_MAX, unit: 'ms' })
  await nobodyLeft(served)
  const heapMax = Math.max(HEAP_OCTETS_MAX * threads, before.heapOctets / 10)
  let after = await served.look()
  // What waits for a finalizer is given back by the next collection.
  for (let looks = 1; after.heapOctets > before.heapOctets + heapMax && looks < LOOKS_MAX; looks++) {
    await wait(LOOK_EVERY_MS)
    after = await served.look()
  }
  note('descriptors more than before', after.descriptors - before.descriptors, { atMost: DESCRIPTORS_MAX })
  note('heap more than before', (after.heapOctets - before.heapOctets) / 1_048_576, {
    atMost: heapMax / 1_048_576,
    unit: 'MiB',
  })
  note('things that the server called a bug of its own', served.text.split('This is a bug').length - 1, { atMost: 0 })
}

/** Every fault of the soak. */
import type { Fault } from '../stage.ts'
import { churn, noise, silentClients, slowHandshakes } from './crowds.ts'
import { killedClients, killedTargets, resets, stoppedClients } from './ends.ts'
import { binds, deadEnds, floods, nameFaults, strangers } from './network.ts'
import { clockJumps, killedWorker, reloads, usersFile } from './operations.ts'
import { guesses } from './passwords.ts'
import { fewDescriptors, fullDisk, stuckPipe } from './shortage.ts'
import { deafTargets, stalledReaders } from './streams.ts'
import { largeTransfers, manyTunnels } from './volume.ts'

export const FAULTS: readonly Fault[] = [
  resets,
  killedTargets,
  killedClients,
  stoppedClients,
  churn,
  noise,
  slowHandshakes,
  silentClients,
  stalledReaders,
  deafTargets,
  manyTunnels,
  largeTransfers,
  reloads,
  killedWorker,
  usersFile,
  clockJumps,
  fewDescriptors,
  fullDisk,
  stuckPipe,
  ...nameFaults,
  strangers,
  deadEnds,
  binds,
  floods,
  guesses,
]

/** Every row of the plan that is shown by itself. */
import { bindTrial } from './binds.ts'
import { controlTrial } from './control.ts'
import { churnTrial, slowHandshakeTrial } from './crowds.ts'
import { datagramTrial, foreignDatagramTrial } from './datagrams.ts'
import { halfCloseTrial, resetTrial } from './ends.ts'
import { banTableTrial, lockOutTrial, loginTimeTrial } from './guesses.ts'
import { killedClientTrial, killedTargetTrial } from './kills.ts'
import { limitTrial, pendingDialTrial } from './limits.ts'
import { dialTrial, nameTrial } from './names.ts'
import { clockTrial, fullDiskTrial, reloadTrial } from './operations.ts'
import { fewDescriptorsTrial } from './shortage.ts'
import { killedWorkerTrial, restartTrial, stopTrial } from './stops.ts'
import { deafTargetTrial, stalledReaderTrial } from './streams.ts'
import type { Trial } from './trial.ts'
import { tunnelTrial } from './tunnels.ts'
import { usersTrial } from './users.ts'

export const TRIALS: readonly Trial[] = [
  tunnelTrial,
  churnTrial,
  slowHandshakeTrial,
  stalledReaderTrial,
  deafTargetTrial,
  halfCloseTrial,
  resetTrial,
  killedTargetTrial,
  killedClientTrial,
  fewDescriptorsTrial,
  limitTrial,
  pendingDialTrial,
  stopTrial,
  reloadTrial,
  restartTrial,
  killedWorkerTrial,
  usersTrial,
  fullDiskTrial,
  clockTrial,
  nameTrial,
  dialTrial,
  bindTrial,
  datagramTrial,
  foreignDatagramTrial,
  lockOutTrial,
  banTableTrial,
  loginTimeTrial,
  controlTrial,
]

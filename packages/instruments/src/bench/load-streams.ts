/** Bulk in one direction: MiB that come down, or go up, through a number of tunnels. */
import type { Connection } from '@socksmith/engine'
import { type Failure, failure } from '@socksmith/protocol'
import { Fault, type Load, type Sample, during } from './load.ts'
import { CHUNK, PatternReader } from './pattern.ts'
import { LoadReader, openTunnels, resetAll } from './tunnels.ts'

const MIB = 2 ** 20
/** Chunks for one stream in one go, until the others have their turn. */
const CHUNKS_A_TURN = 16
const DAMAGE: Failure = failure('bad_signature', 'server', 'octets were lost, doubled or changed on their way')

export const download: Load = async stage => {
  const fault = new Fault()
  let total = 0
  const tunnels = await openTunnels(stage.engine, stage.ways.source, stage.settings.streams, () => {
    const pattern = new PatternReader()
    return new LoadReader(fault, octets => {
      total += octets.length
      if (!pattern.take(octets)) fault.set(DAMAGE)
    })
  })
  if ('code' in tunnels) return tunnels
  const done = await during(stage, () => total, fault)
  resetAll(tunnels.map(({ connection }) => connection))
  return inMib(done)
}

export const upload: Load = async stage => {
  const { target } = stage
  const fault = new Fault()
  const tunnels = await openTunnels(stage.engine, stage.ways.sink, stage.settings.streams, () => {
    return new LoadReader(fault, () => {})
  })
  if ('code' in tunnels) return tunnels
  let isRunning = true
  const damages = target.damages()
  for (const { connection } of tunnels) pour(connection, () => isRunning)
  const done = await during(stage, () => target.sunkOctets(), fault)
  isRunning = false
  resetAll(tunnels.map(({ connection }) => connection))
  return target.damages() > damages ? DAMAGE : inMib(done)
}

function pour(connection: Connection, isRunning: () => boolean): void {
  for (let i = 0; i < CHUNKS_A_TURN && connection.unsentOctets === 0; i++) connection.write(CHUNK)
  const again = (): void => {
    if (isRunning()) pour(connection, isRunning)
  }
  if (connection.unsentOctets > 0) connection.onceSent(again)
  else setImmediate(again)
}

function inMib(done: Sample | Failure): Sample | Failure {
  if ('code' in done) return done
  return done.amount === 0
    ? failure('timed_out', 'server', 'not one octet came through')
    : { ...done, amount: done.amount / MIB }
}

/** The files of Unix sockets that a killed process left behind. */
import { lstatSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { errnoOf } from './system-failure.ts'

/** Removes the file of a Unix socket behind which nobody listens. True when it is gone. */
export async function removeDeadSocket(path: string): Promise<boolean> {
  if (!(await isDead(path))) return false
  try {
    if (!lstatSync(path).isSocket()) return false
    unlinkSync(path)
    return true
  } catch (error) {
    return errnoOf(error) === 'ENOENT'
  }
}

function isDead(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const probe = connect(path)
  probe.once('connect', () => resolve(false))
  probe.once('error', error => resolve(errnoOf(error) === 'ECONNREFUSED' || errnoOf(error) === 'ENOENT'))
  return promise.finally(() => probe.destroy())
}
